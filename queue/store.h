/* queue/store.h - where queued mail is kept: a log that many messages share a flush in, and a shelf of files.
 *
 * Shape   one process owns a queue directory. The table (queue/table.h) says what is queued; the store says where
 *         its bytes are, and makes what the table says survive. Nothing here waits for a disk but store_open and
 *         store_close: threads of its own do, and store_turn tells what has become of it.
 * Errors  as each says; errno. A message that could not be kept was never there: whoever handed it in is told so.
 * Source  queue/STATES.md for what is written in which order, and what a crash at each point leaves. */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mail/envelope.h"
#include "queue/table.h"

struct store;
struct store_message; /* one that arrives */

/* Who hands in, as the kernel says: the peer of the socket. */
struct store_origin {
	uid_t uid;
	pid_t pid;
};

struct store_events {
	void *arg;
	/* It would survive a power cut now, and is in the table. Envelope and origin are those of store_finish, once
	 * more. */
	void (*kept)(void *arg, void *owner, uint32_t message, const struct envelope *e,
		const struct store_origin *from);
	/* It would not, and is nowhere. error is an errno: ENOSPC, EIO, ENOMEM, EMSGSIZE. */
	void (*lost)(void *arg, void *owner, int error);
	/* A message that was busy may be written to again. */
	void (*ready)(void *arg, void *owner);
	/* A line for the log: damage that was found, a disk that fails. */
	void (*say)(void *arg, const char *line);
};

struct store_options {
	uint64_t floor_bytes;   /* of free space: below it nothing is taken */
	uint64_t segment_bytes; /* of a segment of the log; 0: the usual */
};

/* The queue directory, by its name; it becomes what it has to be when it is empty. What was queued is in the
 * table then, its recipients in their state. NULL: why has a sentence (EBUSY: and who holds it). */
struct store *store_open(const char *directory, const struct store_options *o, struct table *t,
	const struct store_events *e, char *why, size_t why_size) __attribute__((warn_unused_result));

/* All that is written is on the disk then, and the next start is quick. */
void store_close(struct store *s);

int store_fd(const struct store *s);         /* readable: it is time for store_turn */
int store_timeout_ms(const struct store *s); /* for poll(2): after so long, too; -1 never */
void store_turn(struct store *s); /* at the end of each turn of the loop: starts what has gathered */

/* ---- intake -------------------------------------------------------------------------------------------- */

/* NULL with errno; ENOSPC below the floor. head is put before the message, as its first lines. */
struct store_message *store_begin(struct store *s, void *owner, const char *head, size_t n)
	__attribute__((warn_unused_result));
bool store_busy(const struct store_message *m); /* write no more until it is ready */
int store_write(struct store_message *m, const void *p, size_t n) __attribute__((warn_unused_result));
/* The envelope is copied. kept or lost is called for its owner, never before this has returned. */
void store_finish(struct store_message *m, const struct envelope *e, const struct store_origin *from);
void store_abandon(struct store_message *m);

/* ---- what is queued ------------------------------------------------------------------------------------ */

struct store_content {
	int message; /* a descriptor at its first byte; it ends where the message ends */
	struct store_origin from;
	struct envelope envelope;
	void *memory; /* of the envelope */
};

/* -1 with errno; EBADMSG: it is damaged. A file of the shelf is read to its end for that. */
int store_read(struct store *s, uint32_t message, struct store_content *c)
	__attribute__((warn_unused_result));
void store_release(struct store_content *c);

/* The state, tries and due of a recipient, or the flags of a message, are different now in the table: they will be on
 * disk within 50 ms. After a crash the former ones may be true again. */
void store_mark(struct store *s, uint32_t message, uint32_t recipient, uint32_t number);
void store_mark_message(struct store *s, uint32_t message);

/* Nothing is left to do: the message goes, and its row. */
void store_end(struct store *s, uint32_t message);

#endif
