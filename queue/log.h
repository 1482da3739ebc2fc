/* queue/log.h - records gather in a batch, and all of a batch share one flush.
 *
 * Shape   at any time one batch fills while others are on their way to the disk. A batch lies in one segment; the
 *         next one goes to the next segment when this one is full and another is ready, else on at its end.
 *         Whoever waits for a batch leaves a struct log_waiter in it.
 * Units   a place is where a record begins: number of the segment << 32 | bytes / 8.
 * Errors  a batch whose flush failed is never flushed again: its pages may be marked clean. Its messages are told
 *         so; what it said of messages that are kept goes into the next batch, in another segment.
 * Source  fsync(2), and "fsyncgate" of 2018. */
#ifndef QUEUE_LOG_H
#define QUEUE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/disk.h"
#include "queue/record.h"
#include "queue/segment.h"

struct log_waiter {
	struct log_waiter *next;
	void (*settled)(struct log_waiter *w, void *arg, int error); /* 0, or an errno */
	bool stays; /* waits on, when its batch fails, for the one that says the same again */
};

struct log_batch;

struct log {
	int dir;
	struct disk *flush; /* writes batches */
	struct disk *slow;  /* makes segments */
	void *arg;          /* of the waiters */
	struct checksum sum;
	unsigned char key[CHECKSUM_KEY];
	size_t segment_bytes;
	struct segment *segments; /* by number; the last is written to */
	size_t count;
	struct segment *free; /* nothing in them is needed */
	size_t free_count;
	struct segment spare; /* fd -1: none */
	bool making;          /* a spare */
	int64_t retry_ms;     /* when making one failed: not before */
	uint64_t next_segment, next_batch;
	size_t at;   /* where the filling batch will begin */
	bool broken; /* the last segment must not be written to */
	int broken_by;
	struct log_batch *filling;
	size_t backlog; /* bytes that are not on the disk yet */
	size_t in_flight;
};

/* segments and free have what was found; key is known. The last of segments is empty and is written to next. */
void log_open(struct log *l, int dir, struct disk *flush, struct disk *slow, void *arg);
void log_close(struct log *l);

/* Room for a payload in the batch, then the record itself: its place. NULL with ENOMEM, or what broke the log. */
char *log_room(struct log *l, size_t length) __attribute__((warn_unused_result));
uint64_t log_put(struct log *l, enum record_kind kind, uint64_t id, size_t length);
void log_wait(struct log *l, struct log_waiter *w); /* for the batch that fills */

bool log_fills(const struct log *l); /* is there anything to write? */
void log_write(struct log *l);       /* gives the batch to the disk */

/* From the next batch on, another segment, if one is ready. False: none is. */
bool log_turn_over(struct log *l);

struct segment *log_segment(struct log *l, uint64_t number);
static inline uint64_t log_segment_of(uint64_t place)
{
	return place >> 32;
}
static inline size_t log_offset_of(uint64_t place)
{
	return (size_t)(place & UINT32_MAX) * RECORD_ALIGN;
}

/* A record, whole and verified, by the descriptor and number of its segment; r points into *memory, to be freed. In
 * any thread: what it looks at does not change. */
int log_read(const struct log *l, int fd, uint64_t segment, size_t at, struct record *r, char **memory)
	__attribute__((warn_unused_result));

/* Nothing below that number is needed but the messages that live there. */
void log_free_below(struct log *l, uint64_t number);

/* Sees to a spare segment. */
void log_prepare(struct log *l, int64_t now_ms);

#endif
