/* queue/intake.h - the server's side of the queue's socket: connections in, answers out.
 *
 * Shape   one loop of the caller drives it: poll intake_fd for POLLIN, not longer than intake_timeout_ms, then
 *         intake_turn; after a turn of the store intake_flush. The store's events about what intake began are
 *         passed on to intake_kept, intake_lost and intake_ready, with the owner that they name.
 *         The Received line of qmail-queue is put before each message: the pid and the uid are the peer's, as the
 *         kernel said when it connected.
 * Units   1000 connections, of which one user never has more than are still free: 500 of an empty house. As much for
 *         the memory of envelopes, 64 MB in all: one has 4 MB at most (a recipient of 20 bytes: 190,000 of them).
 *         What the store or the 64 unanswered messages make us wait for stays in the kernel, but for 64 KB a
 *         connection. In all: below 140 MB, whatever clients do; 2 KB for a connection that behaves.
 *         A peer that says nothing in mid-message, or does not take its answers, for 20 minutes is closed;
 *         between messages it may be silent for ever.
 * Errors  a message that cannot be taken is answered Z or D and its bytes are read on; a frame that is none, Z and the
 *         connection is closed. Nothing here waits.
 * Source  portero-queue(7); unix(7), SO_PEERCRED; Received: qmail-queue.c. */
#ifndef QUEUE_INTAKE_H
#define QUEUE_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mail/control.h"
#include "queue/store_ops.h"

enum { INTAKE_CONNECTIONS = 1000, INTAKE_STALL_MS = 20 * 60 * 1000 };

struct intake_options {
	const char *path; /* of the socket; one that nobody listens on any more is taken away first */
	mode_t mode;      /* of the socket; its directory decides too */
	const struct control_list
		*users;       /* who may hand in, names and uids; NULL: whoever reaches the socket */
	unsigned connections; /* 0: the usual */
	int stall_ms;         /* 0: the usual */
	void (*say)(void *arg, const char *line); /* a line for the log; NULL: none */
	void *arg;
};

struct intake;

/* NULL: why has a sentence. */
struct intake *intake_open(const struct intake_options *o, const struct store_ops *ops, struct store *store,
	char *why, size_t why_size) __attribute__((warn_unused_result));

/* Others may hand in from now on; who is connected stays. NULL: whoever reaches the socket. */
void intake_allow(struct intake *i, const struct control_list *users);

int intake_fd(const struct intake *i);
int intake_timeout_ms(const struct intake *i); /* for poll(2); -1 never */
void intake_turn(struct intake *i);
void intake_flush(struct intake *i); /* sends the answers to what has been kept or lost */

void intake_kept(void *owner, uint64_t id);
void intake_lost(
	void *arg, void *owner, int error); /* as struct store_events has them; arg is not looked at */
void intake_ready(void *arg, void *owner);

/* Nobody connects any more, and what is not whole is void; messages that the store has will be answered yet. */
void intake_stop(struct intake *i);
size_t intake_unanswered(const struct intake *i);

/* Whoever is connected is closed. The store says nothing to intake after that: close it first. */
void intake_close(struct intake *i);

#endif
