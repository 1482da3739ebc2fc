/* mail/smtp_reply.h - a server's reply, as a client reads it.
 *
 * Shape   bytes in, in any pieces, a line at a time; the text of all lines is gathered with a blank between them,
 *         printable, without code and enhanced code, and cut where it does not fit.
 * Units   a line has SMTP_REPLY_LINE bytes at most, what is longer is read and forgotten; a reply has
 *         SMTP_REPLY_LINES lines and SMTP_REPLY_BYTES bytes at most, and is none beyond.
 * Errors  SMTP_REPLY_BAD: nothing that follows can be read any more.
 * Source  RFC 5321 section 4.2 (a line may end in LF alone: no harm is in that here), RFC 3463 section 2. */
#ifndef MAIL_SMTP_REPLY_H
#define MAIL_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum {
	SMTP_REPLY_TEXT = 512,
	SMTP_REPLY_LINE = 1024,
	SMTP_REPLY_LINES = 200,
	SMTP_REPLY_BYTES = 64 * 1024,
	SMTP_REPLY_STATUS = sizeof "5.999.999"
};

struct smtp_reply {
	unsigned code;                  /* 200 to 599 */
	char status[SMTP_REPLY_STATUS]; /* "5.1.1", of the same class as the code; or "" */
	char text[SMTP_REPLY_TEXT];
	struct str gathered; /* text, as it grows */

	char line
		[SMTP_REPLY_LINE]; /* the text behind the code of the line that has just ended; a C string */
	size_t line_len, bytes, lines;
};

enum smtp_reply_state {
	SMTP_REPLY_MORE,  /* of this line */
	SMTP_REPLY_ENDED, /* this line, and another follows */
	SMTP_REPLY_WHOLE,
	SMTP_REPLY_BAD
};

void smtp_reply_init(struct smtp_reply *r);

/* Reads up to the end of a line. *used: so many bytes. */
enum smtp_reply_state smtp_reply_feed(struct smtp_reply *r, const char *p, size_t n, size_t *used);

/* "550 5.1.1 no such user", as far as it fits into that many bytes. */
void smtp_reply_put(const struct smtp_reply *r, struct str *to, size_t max);

#endif
