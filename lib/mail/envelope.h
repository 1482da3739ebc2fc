/* mail/envelope.h - who sent a message and for whom, in the form the qmail-queue protocol carries.
 *
 * Shape   bytes on caller's memory: 'F' sender NUL, then 'T' recipient NUL for each, then one NUL. What is
 *         written is what travels, so nothing is converted between smtpd and the queue.
 *         Behind a sender or a recipient there may be notes of ours on it, a small letter, text, NUL: only for
 *         a queue that says it understands them (smtpd/extensions.h).
 * Units   an address has at most ENVELOPE_ADDRESS_MAX bytes before its NUL (qmail-queue: 1002).
 * Errors  bool: false when the memory is full, and nothing has changed.
 * Source  qmail-queue(8), ENVELOPE FORMAT. */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

enum { ENVELOPE_ADDRESS_MAX = 1002 };

enum {
	ENVELOPE_BODY = 'b',       /* BINARYMIME: the text is as the client sent it, lines end in CR LF */
	ENVELOPE_ENVID = 'i',      /* RFC 3461, as the client wrote it (xtext) */
	ENVELOPE_RET = 'r',        /* FULL, HDRS */
	ENVELOPE_REQUIRETLS = 'q', /* RFC 8689; no text */
	ENVELOPE_NOTIFY = 'n',     /* of a recipient: NEVER, or some of SUCCESS,FAILURE,DELAY */
	ENVELOPE_ORCPT = 'o'       /* of a recipient: type;xtext */
};

struct envelope {
	char *bytes;
	size_t len;
	size_t cap;
	size_t recipients;
};

void envelope_init(struct envelope *e, char *memory, size_t cap);
bool envelope_start(struct envelope *e, const char *sender) __attribute__((warn_unused_result));
bool envelope_add(struct envelope *e, const char *recipient) __attribute__((warn_unused_result));
bool envelope_note(struct envelope *e, char letter, const char *text, size_t n)
	__attribute__((warn_unused_result)); /* on what was put last; text has no NUL */

/* Before it is finished: another sender, with the notes of the one before; a recipient and its notes less, or
 * nothing if it is not there. Domains are compared without case. */
bool envelope_set_sender(struct envelope *e, const char *sender) __attribute__((warn_unused_result));
void envelope_remove(struct envelope *e, const char *recipient);
bool envelope_has(const struct envelope *e, const char *recipient);

bool envelope_finish(struct envelope *e) __attribute__((warn_unused_result));

enum envelope_check {
	ENVELOPE_WHOLE,   /* up to and with the last NUL */
	ENVELOPE_CUT,     /* right so far, but more must come */
	ENVELOPE_BAD,     /* another letter where F, T or a note's must stand */
	ENVELOPE_TOO_LONG /* an address over the limit */
};

/* Judges bytes that came from elsewhere; counts recipients; sets len to the end of a whole envelope (what
 * follows is not read, as in qmail-queue). */
enum envelope_check envelope_check(struct envelope *e, size_t have);

/* Of a whole envelope. The recipients one after another: start with NULL, NULL ends. */
const char *envelope_sender(const struct envelope *e);
const char *envelope_next(const struct envelope *e, const char *recipient);

/* The text of a note on the sender, or on a recipient that envelope_next gave; NULL: there is none. */
const char *envelope_find_note(const char *address, char letter);

#endif
