/* mail/dotline.h - the text of DATA: its lines, its dots, its end; as it comes in and as it goes out.
 *
 * Shape   wire bytes in, lines that end in LF out (the form of the qmail-queue protocol): CR LF becomes
 *         LF, a leading dot is removed. The end is CR LF . CR LF and nothing else: a bare CR or LF takes no
 *         part in it (this is what makes SMTP smuggling impossible). It is kept as it came, or with fix
 *         ends a line, behind which a leading dot is removed; and is remembered, so that the caller can
 *         refuse the message at its true end.
 *         The other way CR LF and nothing else leaves: it stands for an LF, for a CR LF, and for a CR without LF,
 *         and behind each of them a leading dot is doubled. So no receiver, whatever it takes for a line end,
 *         finds an end in the text (a stored "CR . LF" that becomes "CR LF . CR LF" is two messages).
 * Cost    one pass, 16 bytes a step, that looks and copies at once; bytes only at the end of a line.
 * Source  RFC 5321 sections 2.3.8, 4.1.1.4 and 4.5.2 (transparency); RFC 3030 section 2 (BDAT). */
#ifndef MAIL_DOTLINE_H
#define MAIL_DOTLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dotline_fault { DOTLINE_CLEAN, DOTLINE_BARE_LF, DOTLINE_BARE_CR };

struct dotline {
	enum { LINE_START, LINE_DOT, LINE_DOT_CR, LINE_TEXT, LINE_CR, LINE_FIXED } at;
	bool fix;
	bool dots;
	bool ended;
	uint64_t wire_bytes;      /* read so far, the end included */
	enum dotline_fault fault; /* the first one … */
	uint64_t fault_at;        /* … and its position in the wire bytes, from 0 */
};

/* What a decode may give out for n bytes in: a byte withheld earlier may come with them. */
#define DOTLINE_ROOM(n) ((n) + 2)

/* dots: the text of DATA. Without, that of BDAT: a dot is a dot, and somebody else knows the end. */
void dotline_init(struct dotline *d, bool fix, bool dots);

/* Reads up to n bytes, stops behind the end. Returns the bytes read; *out_len is what was put to out. */
size_t dotline_decode(struct dotline *d, const char *in, size_t n, char *out, size_t *out_len);

/* The text has ended, as BDAT says: puts out what was withheld, DOTLINE_ROOM(0) bytes at most. */
void dotline_finish(struct dotline *d, char *out, size_t *out_len);

/* ---- going out ----------------------------------------------------------------------------------------- */

struct dotline_out {
	enum { OUT_START, OUT_TEXT, OUT_CR } at;
	uint64_t size; /* put out so far, without what transparency and the end add: SIZE of RFC 1870 */
};

/* What an encode may give out for n bytes in, and the end for none. */
#define DOTLINE_OUT_ROOM(n) (2 * (n) + 5)

void dotline_out_init(struct dotline_out *d);
size_t dotline_encode(struct dotline_out *d, const char *in, size_t n, char *out); /* the bytes in out */

/* The line that has no end gets one; then the dot. */
size_t dotline_encode_end(struct dotline_out *d, char *out);

#endif
