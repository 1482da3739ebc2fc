/* policy_serve.h - the frame of a policy program: requests on descriptor 0, answers on 1, until 0 ends.
 *
 * Shape   a program is a struct of functions. What smtpd starts has a socket there; behind
 *         "tcpserver --listen unix:PATH" it is the connection: nothing is different.
 * Errors  the exit code of the program: 0 when the input has ended between two blocks, else 111, and one line
 *         on descriptor 2 has said why.
 * Source  portero-policy(7). */
#ifndef SMTPD_POLICY_SERVE_H
#define SMTPD_POLICY_SERVE_H

#include <sys/types.h>

#include "mail/policy_wire.h"

struct policy_serve {
	/* *a says "continue" and nothing else. Texts that are put there live until the next call. Called for
	 * stages that are answered, POLICY_OTHER not among them. */
	void (*answer)(void *arg, const struct policy_request *q, struct policy_answer *a);
	/* POLICY_RESET and POLICY_CLOSE. May be NULL. */
	void (*told)(void *arg, const struct policy_request *q);
	/* A piece of the message. NULL: it is read past. */
	void (*text)(void *arg, const char *p, size_t n);
	/* After an answer with a->message: up to n bytes of it, more than 0; -1 with errno ends the program.
	 * May be NULL when no answer has one. */
	ssize_t (*message)(void *arg, char *p, size_t n);
	void *arg;
};

int policy_serve(const struct policy_serve *p) __attribute__((warn_unused_result));

#endif
