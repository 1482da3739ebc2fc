/* lookup.h - names and ident answers for connections, found by a helper process.
 *
 * Shape   one child for all look-ups, started when the first is asked for; question and answer are one
 *         packet each on a socket pair. It runs its own poll loop over many questions at once, so the
 *         server never waits. When it dies a new one is started, at most one a second.
 * Units   the deadline of a question is timeout_ms after it was asked, for all its look-ups together.
 * Errors  a question that cannot be asked or answered is one without names. */
#ifndef TCPSERVER_LOOKUP_H
#define TCPSERVER_LOOKUP_H

#include <stdint.h>
#include <sys/types.h>

#include "net/ends.h"
#include "tcpserver/config.h"
#include "tcpserver/names.h"

struct lookup_question {
	uint64_t id;
	struct ends ends;
};

struct lookup_answer {
	uint64_t id;
	struct names names;
};

struct lookup {
	const struct config *config;
	int fd; /* non-blocking, -1 while there is no helper */
	pid_t pid;
	int64_t not_before_ms; /* the next helper */
};

void lookup_init(struct lookup *l, const struct config *c);
void lookup_close(struct lookup *l); /* the helper ends by itself */
bool lookup_wanted(const struct config *c);

enum lookup_ask { LOOKUP_ASKED, LOOKUP_LATER, LOOKUP_FAILED };

/* LATER: the socket is full, try again when it is writable. */
enum lookup_ask lookup_ask(struct lookup *l, const struct lookup_question *q);
/* True when *a holds an answer. The socket's end closes l->fd: nothing that was asked will be answered. */
bool lookup_next(struct lookup *l, struct lookup_answer *a);

#endif
