/* queue/door_socket.h - the door to a queue server, by its socket: for door.c and for qmail-queue.
 *
 * Shape   one connection, one message at a time. Small pieces are gathered, so that a message of usual size is one
 *         send and its answer one read; what lies in the memory here is wiped at the end of its message.
 * Units   20 minutes for each wait: see DOOR_PATIENCE_MS.
 * Errors  a connection that breaks, says nothing in time or says what it must not is given up: fd is -1 from then
 *         on, and every later message is answered Z. What came next on it would answer the wrong question.
 * Source  portero-queue(7). */
#ifndef QUEUE_DOOR_SOCKET_H
#define QUEUE_DOOR_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/envelope.h"
#include "queue/door_answer.h"

/* How long a queue may take to read on, or to answer. No client waits longer than this for the reply to its final
 * dot (10 minutes, RFC 5321 section 4.5.3.2.6). */
enum { DOOR_PATIENCE_MS = 20 * 60 * 1000 };

enum { DOOR_SOCKET_GATHER = 16 * 1024 };

struct door_socket {
	int fd;
	uint64_t last; /* number of the message that was kept last */
	bool begun;    /* a part of the message at hand has been sent */
	int failed;    /* errno of a send, for what is still to come of that message */
	size_t len;
	size_t used; /* of gather, since it was wiped */
	char gather[DOOR_SOCKET_GATHER];
};

/* NULL, or a sentence. */
const char *door_socket_open(struct door_socket *d, const char *path) __attribute__((warn_unused_result));
int door_socket_begin(struct door_socket *d, struct door_answer *answer)
	__attribute__((warn_unused_result));
int door_socket_write(struct door_socket *d, const char *p, size_t n) __attribute__((warn_unused_result));
void door_socket_end(struct door_socket *d, const struct envelope *e, struct door_answer *answer);
void door_socket_abort(struct door_socket *d);
bool door_socket_lost(const struct door_socket *d);
void door_socket_close(struct door_socket *d);

/* A number that the next message may get, for an answer to one that is not handed in. */
uint64_t door_socket_next(const struct door_socket *d);

#endif
