/* session.h - who is here: one entry for each connection that was accepted and has not ended.
 *
 * Shape   a table made at start, so that accepting a client allocates nothing. A session waits in at most
 *         one queue, in the order in which it came there; all who wait in one queue have the same timeout,
 *         so the first has the first deadline.
 * Cost    constant, all of it; 128 bytes a session at most. */
#ifndef TCPSERVER_SESSION_H
#define TCPSERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/ends.h"

enum session_state {
	SESSION_FREE,
	SESSION_TAKEN,
	SESSION_HEADER,  /* its PROXY header must come */
	SESSION_SILENT,  /* it should send none: the first bytes are looked at */
	SESSION_ROOM,    /* in the waiting room, for a slot of -c */
	SESSION_ASKING,  /* its question could not be sent yet */
	SESSION_WAITING, /* for names */
	SESSION_RUNNING,
	SESSION_SHUT,      /* shed: its connection was shut down, its program should end */
	SESSION_TERMINATED /* shed: its program was told to end */
};

enum session_queue {
	QUEUE_HEADER,
	QUEUE_SILENT,
	QUEUE_ROOM,
	QUEUE_NAMES,
	QUEUE_SHUT,
	QUEUE_TERMINATED,
	QUEUES
};

struct session {
	uint8_t state;
	bool has_slot; /* counts against -c */
	bool judged;   /* the limits have let it in */
	bool is_unix;
	uint32_t generation; /* how often this entry was used: an answer may come too late */
	pid_t pid;           /* RUNNING and later */
	int fd;              /* until it is RUNNING, else -1 */
	uint32_t source;     /* limits.h: its address … */
	uint32_t net;        /* … and its network */
	int tls_control;     /* --tls-mode=wrap: fd is plain text already, and this goes with it; else -1 */
	int32_t worker;      /* workers.h: its program may stay for the next one; -1: it does not */
	uint32_t listener;
	uint32_t next_pid; /* index + 1 in the chain of its hash */
	int64_t deadline_ms;
	int64_t since_ms; /* ROOM: when it came there */
	struct ends ends;
	struct session *before; /* in its queue, or in the list of free entries */
	struct session *after;
};

struct sessions {
	struct session *table;
	uint32_t *pids; /* heads of chains, index + 1 */
	size_t pid_mask;
	size_t room;  /* entries */
	size_t count; /* in use */
	size_t slots; /* of them: has_slot */
	size_t high;  /* entries from here on were never used */
	struct session *free;
	struct {
		struct session *first, *last;
		size_t count;
	} queue[QUEUES];
};

int sessions_init(struct sessions *t, size_t room) __attribute__((warn_unused_result));
void sessions_free(struct sessions *t);
struct session *session_take(struct sessions *t); /* NULL: full */
void session_give(struct sessions *t, struct session *s);

void session_wait(struct sessions *t, struct session *s, enum session_state state, int64_t deadline_ms);
void session_leave_queue(
	struct sessions *t, struct session *s); /* it is TAKEN, or RUNNING if it has a pid */

void session_run(struct sessions *t, struct session *s, pid_t pid);
void session_stop(struct sessions *t, struct session *s); /* the process has no more to do with it: TAKEN */
struct session *session_of_pid(struct sessions *t, pid_t pid);

uint64_t session_id(const struct sessions *t, const struct session *s);
struct session *session_of_id(struct sessions *t, uint64_t id); /* NULL unless it waits for names */

#endif
