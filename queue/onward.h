/* queue/onward.h - one message at once to another server, for all of its recipients or for none.
 *
 * Shape   read it from the door; connect; greet; send. Nothing is given to a server that has refused one of the
 *         recipients, so that whoever hands in may try again, or give up, with the whole message.
 *         Each of these ends the process with the answer when it cannot go on; onward_send ends it in any case.
 * Errors  exit codes of qmail-queue; what a server has said is told by 82 and a text (queue/door.h), and logged.
 * Source  qmail-queue(8), qmail-qmqpc(8). */
#ifndef QUEUE_ONWARD_H
#define QUEUE_ONWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/smtp_client.h"
#include "queue/held.h"

enum { ONWARD_ENVELOPE = 4 * 1024 * 1024 };

struct onward {
	const char *server; /* as it is told of: "mx.example.org" */
	char where[128];    /* and logged: "mx.example.org [192.0.2.1]:25" */
	struct smtp_client client;
	struct envelope envelope;
	struct held message;
	char envelope_bytes[ONWARD_ENVELOPE];
};

/* Message and envelope; ends with 0 if there is no recipient. */
void onward_read(struct onward *o);

/* A connected server: its greeting, and what it offers. SMTP_YES, or what kept it from that. */
enum smtp_outcome onward_greet(struct onward *o, int fd, bool lmtp, const char *name, int64_t deadline_ms);

/* The server has said no before anything was sent, or has gone: what came of doing what. The message may be sent
 * later in any case. */
_Noreturn void onward_not_served(struct onward *o, enum smtp_outcome outcome, const char *what);

/* The answer is that exit code, with a line in the log. */
_Noreturn void onward_fail(struct onward *o, enum door_exit code, const char *why);

/* "Z" or "D", and a text that ends in its status code. */
_Noreturn void onward_answer(struct onward *o, char letter, const char *text);

_Noreturn void onward_send(struct onward *o);

/* The name of this host for EHLO: control/me, else what the system says. It lives as long as the process. */
const char *onward_name(struct onward *o);

#endif
