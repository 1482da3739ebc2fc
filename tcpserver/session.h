/* session.h - who is here: one entry for each connection that counts against -c.
 *
 * Shape   a table made at start, so that accepting a client allocates nothing. A session first waits for
 *         its names, if they are wanted, in the order of arrival; then it is a process.
 * Cost    session_of_pid walks the entries in use; the rest is constant. */
#ifndef TCPSERVER_SESSION_H
#define TCPSERVER_SESSION_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/ends.h"

enum session_state {
	SESSION_FREE,
	SESSION_TAKEN,
	SESSION_ASKING,  /* its question could not be sent yet */
	SESSION_WAITING, /* for an answer */
	SESSION_RUNNING
};

struct session {
	enum session_state state;
	uint32_t generation; /* how often this entry was used: an answer may come too late */
	pid_t pid;           /* RUNNING */
	int fd;              /* until it is RUNNING */
	int64_t deadline_ms; /* ASKING, WAITING: then it goes on without names */
	struct ends ends;
	struct session *before; /* in the queue of those who wait, or in the list of free entries */
	struct session *after;
};

struct sessions {
	struct session *table;
	size_t limit;
	size_t count;
	size_t high; /* entries from here on were never used */
	struct session *free;
	struct session *first; /* of the queue: the one whose deadline comes first */
	struct session *last;
};

int sessions_init(struct sessions *t, size_t limit) __attribute__((warn_unused_result));
void sessions_free(struct sessions *t);
struct session *session_take(struct sessions *t); /* NULL: full */
void session_give(struct sessions *t, struct session *s);

void session_wait(struct sessions *t, struct session *s); /* at the end of the queue */
void session_leave_queue(struct sessions *t, struct session *s);

uint64_t session_id(const struct sessions *t, const struct session *s);
struct session *session_of_id(struct sessions *t, uint64_t id); /* NULL unless it waits */
struct session *session_of_pid(struct sessions *t, pid_t pid);

#endif
