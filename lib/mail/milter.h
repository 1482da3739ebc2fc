/* mail/milter.h - the packets between a mail server and a milter, seen from the server.
 *
 * Shape   a packet is 4 bytes of length, one letter, and data; the length counts the letter. We pack commands
 *         into the caller's memory and read answers out of it: nothing is copied, nothing is allocated, no
 *         descriptor is touched.
 * Units   numbers in network order; texts end in NUL; lines of a body end in CR LF, those of a folded field's
 *         value in LF.
 * Errors  a command that does not fit sets full for good. A parser returns NULL or a sentence.
 * Source  the numbers are those of libmilter/mfdef.h (Sendmail 8.17); which version has what: MILTER_README
 *         of Postfix, "Sendmail macro emulation" and "Limitations". */
#ifndef MAIL_MILTER_H
#define MAIL_MILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MILTER_VERSION_MIN = 2,
	MILTER_VERSION_DATA = 4, /* from here on a milter is told of DATA */
	MILTER_VERSION = 6
};

enum {
	MILTER_HEAD = 5,      /* length and letter */
	MILTER_CHUNK = 65535, /* of a body, unless more was agreed */
	MILTER_CHUNK_256K = 262143,
	MILTER_CHUNK_1M = 1048575,
	MILTER_PACKET = MILTER_CHUNK_1M + 1024, /* the longest that we read, without its length */
	MILTER_SYMBOLS = 512                    /* a list of macros, with its NUL */
};

enum milter_command {
	MILTER_ABORT = 'A',
	MILTER_BODY = 'B',
	MILTER_CONNECT = 'C',
	MILTER_MACROS = 'D',
	MILTER_BODY_END = 'E',
	MILTER_HELO = 'H',
	MILTER_QUIT_NEXT = 'K',
	MILTER_HEADER = 'L',
	MILTER_MAIL = 'M',
	MILTER_HEADER_END = 'N',
	MILTER_OPTIONS = 'O',
	MILTER_QUIT = 'Q',
	MILTER_RCPT = 'R',
	MILTER_DATA = 'T'
};

/* What a milter may do to a message. */
enum {
	MILTER_MAY_ADD_HEADER = 0x001,
	MILTER_MAY_CHANGE_BODY = 0x002,
	MILTER_MAY_ADD_RCPT = 0x004,
	MILTER_MAY_DELETE_RCPT = 0x008,
	MILTER_MAY_CHANGE_HEADER = 0x010,
	MILTER_MAY_QUARANTINE = 0x020,
	MILTER_MAY_CHANGE_FROM = 0x040,
	MILTER_MAY_ADD_RCPT_PARAMETERS = 0x080,
	MILTER_MAY_SET_SYMBOLS = 0x100
};

/* What a milter does not want to hear, or not to answer. */
enum {
	MILTER_NO_CONNECT = 0x000001,
	MILTER_NO_HELO = 0x000002,
	MILTER_NO_MAIL = 0x000004,
	MILTER_NO_RCPT = 0x000008,
	MILTER_NO_BODY = 0x000010,
	MILTER_NO_HEADER = 0x000020,
	MILTER_NO_HEADER_END = 0x000040,
	MILTER_QUIET_HEADER = 0x000080,
	MILTER_NO_UNKNOWN = 0x000100,
	MILTER_NO_DATA = 0x000200,
	MILTER_CAN_SKIP = 0x000400,
	MILTER_WANTS_REFUSED = 0x000800,
	MILTER_QUIET_CONNECT = 0x001000,
	MILTER_QUIET_HELO = 0x002000,
	MILTER_QUIET_MAIL = 0x004000,
	MILTER_QUIET_RCPT = 0x008000,
	MILTER_QUIET_DATA = 0x010000,
	MILTER_QUIET_UNKNOWN = 0x020000,
	MILTER_QUIET_HEADER_END = 0x040000,
	MILTER_QUIET_BODY = 0x080000,
	MILTER_LEADING_SPACE = 0x100000,
	MILTER_SIZE_256K = 0x10000000,
	MILTER_SIZE_1M = 0x20000000
};

/* ---- commands ------------------------------------------------------------------------------------------ */

struct milter_out {
	char *bytes;
	size_t len;
	size_t cap;
	bool full;
};

void milter_begin(struct milter_out *o, char *memory, size_t cap, enum milter_command command);
void milter_put(struct milter_out *o, const void *p, size_t n);
void milter_put_text(struct milter_out *o, const char *text); /* with its NUL */
void milter_put_text_n(struct milter_out *o, const char *text, size_t n);
void milter_put_u16(struct milter_out *o, unsigned n);
/* Writes the length. False: it did not fit, and is not to be sent. */
bool milter_end(struct milter_out *o) __attribute__((warn_unused_result));

/* ---- options ------------------------------------------------------------------------------------------- */

enum milter_stage {
	MILTER_AT_CONNECT,
	MILTER_AT_HELO,
	MILTER_AT_MAIL,
	MILTER_AT_RCPT,
	MILTER_AT_DATA,
	MILTER_AT_MESSAGE_END,
	MILTER_AT_HEADER_END,
	MILTER_STAGES
};

struct milter_options {
	uint32_t version;
	uint32_t actions;
	uint32_t steps;
	char symbols[MILTER_STAGES][MILTER_SYMBOLS]; /* the milter's own list of macros, or "" */
};

/* What we can, in a version. chunk: how much of a body we would send at once. */
void milter_offer(struct milter_options *offer, unsigned version, size_t chunk);
void milter_put_options(struct milter_out *o, const struct milter_options *offer);
/* The data of the milter's answer 'O'; what comes out is what both of us can. */
const char *milter_agree(const struct milter_options *offer, const char *p, size_t n,
	struct milter_options *agreed) __attribute__((warn_unused_result));
size_t milter_chunk(const struct milter_options *agreed);

/* The next name of a list of macros, without braces; false at its end. *at moves behind it. */
bool milter_next_symbol(const char **at, const char **name, size_t *len);

/* ---- answers ------------------------------------------------------------------------------------------- */

enum milter_frame { MILTER_FRAME_MORE, MILTER_FRAME_WHOLE, MILTER_FRAME_BAD };

/* Is there a whole packet at p? *len is then its length without the 4 bytes in front, at least 1. */
enum milter_frame milter_frame(const char *p, size_t n, size_t *len);

enum milter_answer {
	MILTER_ACCEPT,
	MILTER_ADD_HEADER,    /* name, value */
	MILTER_ADD_RCPT,      /* name: the address; value: parameters or "" */
	MILTER_CHANGE_FROM,   /* likewise */
	MILTER_CHANGE_HEADER, /* number, name, value */
	MILTER_CONNECTION_FAIL,
	MILTER_CONTINUE,
	MILTER_DELETE_RCPT, /* name */
	MILTER_DISCARD,
	MILTER_INSERT_HEADER, /* number, name, value */
	MILTER_PROGRESS,
	MILTER_QUARANTINE, /* name: the reason */
	MILTER_REJECT,
	MILTER_REPLACE_BODY, /* body, body_len */
	MILTER_REPLY,        /* number, status, body, body_len: see milter_reply_text */
	MILTER_SHUTDOWN,
	MILTER_SKIP,
	MILTER_TEMPORARY
};

enum { MILTER_STATUS = 12 }; /* "5.999.999" with its NUL, and some */

struct milter_answer_of {
	enum milter_answer what;
	uint32_t number;  /* of a field, or the code of a reply */
	const char *name; /* texts lie in the packet and end in NUL */
	const char *value;
	const char *body;
	size_t body_len;
	char status[MILTER_STATUS]; /* X.Y.Z of a reply's own class, or "" */
};

/* A packet without its length, as milter_frame counts it. */
const char *milter_parse(const char *p, size_t n, struct milter_answer_of *a)
	__attribute__((warn_unused_result));

/* The words of all lines of a MILTER_REPLY in one, control bytes as blanks; cut at cap. Returns the length. */
size_t milter_reply_text(const struct milter_answer_of *a, char *to, size_t cap);

#endif
