/* dovecot_auth.h - a client of Dovecot's authentication protocol, of one question.
 *
 * Shape   lines that end in LF, fields with TABs between them; the server greets with VERSION and its mechanisms up to
 *         DONE, and answers AUTH with OK, FAIL or CONT.
 * Units   a line has 16384 bytes at most, either way.
 * Source  Dovecot Authentication Protocol, 1.1 and 1.2. */
#ifndef SMTPD_DOVECOT_AUTH_H
#define SMTPD_DOVECOT_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/io.h"
#include "base/str.h"

enum { DOVECOT_LINE = 16384 };

enum dovecot_says { DOVECOT_OK, DOVECOT_FAIL, DOVECOT_TROUBLE };

/* What is said of the connection; NULL: nothing. */
struct dovecot_client {
	const char *remote_ip;
	const char *remote_port;
	const char *local_ip;
	const char *local_port;
	bool secured;
};

/* The lines up to the handshake, and the question: user and password by PLAIN. False: it does not fit. */
bool dovecot_question(struct str *out, unsigned long pid, const struct dovecot_client *client,
	const char *user, const char *password);

/* Reads up to DONE, then up to the answer. *why: a sentence about trouble, or what the server says. */
enum dovecot_says dovecot_greeting(struct io_reader *in, const char **why);
enum dovecot_says dovecot_answer(struct io_reader *in, const char **why);

#endif
