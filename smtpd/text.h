/* text.h - the text of a message, from DATA or in chunks of BDAT, on its way to the queue.
 *
 * Shape   read to its end whatever becomes of it: a reply before that would be taken for another command's,
 *         unless the session ends with it. Nothing of it is kept.
 * Source  RFC 5321 section 4.1.1.4, RFC 3030. */
#ifndef SMTPD_TEXT_H
#define SMTPD_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/dotline.h"
#include "mail/header.h"
#include "smtpd/replies.h"

struct text {
	struct dotline lines;
	struct header_hops hops;
	bool binary;         /* BODY=BINARYMIME: passed on as it comes */
	bool open;           /* the door has begun */
	bool done;           /* the transaction ends with the reply that is being made */
	bool unwanted;       /* the queue does not read on */
	char last;           /* byte that was passed on */
	uint64_t bytes;      /* as the queue gets them, without our own field */
	uint64_t wire_bytes; /* read */
	int64_t begun_ms;
	enum reply refused; /* REPLY_NONE so far */
};

struct argument;

enum reply text_data(struct session *s, struct argument a);
enum reply text_bdat(struct session *s, struct argument a);

/* Whoever sends less than 500 bytes a second in the mean is not served, but everybody has five minutes. */
bool text_is_too_slow(uint64_t wire_bytes, int64_t since_ms) __attribute__((const));

/* The transaction ends here, and the queue keeps nothing of it. */
void text_abort(struct session *s);

#endif
