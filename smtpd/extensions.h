/* extensions.h - what EHLO offers: each only when it works, for this client at this moment.
 *
 * Shape   a set of EXT_ bits. Some hang on the queue: whoever names it says what it can do, in QUEUECAN or
 *         control/queuecan (words of EHLO, separated by blanks), since no program of qmail's can be asked.
 * Source  RFC 5321 section 4.1.1.1; the RFC of each stands in the table of extensions.c. */
#ifndef SMTPD_EXTENSIONS_H
#define SMTPD_EXTENSIONS_H

struct session;

enum extension {
	EXT_ALWAYS = 0,
	EXT_SMTPUTF8 = 1,   /* the queue copes with UTF-8 in addresses */
	EXT_DSN = 2,        /* … understands the notes of mail/envelope.h on notifications */
	EXT_BINARYMIME = 4, /* … takes a text that is not made of lines */
	EXT_REQUIRETLS = 8, /* … does not let it leave without TLS; offered inside TLS */
	EXT_STARTTLS = 16,
	EXT_XCLIENT = 32,
	EXT_AUTH = 64
};

/* Of a list of words, those that a queue can say. *unknown: the first that is none, or NULL. */
unsigned extensions_of_queue(const char *words, const char **unknown);

unsigned extensions_now(const struct session *s);

/* The lines of the answer to EHLO behind its first. */
void extensions_put(struct session *s);

#endif
