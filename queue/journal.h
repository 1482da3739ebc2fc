/* queue/journal.h - the log that is being written: records gather in a batch, and all of a batch share one flush.
 *
 * Shape   at any time one batch fills while others are on their way to the disk. A batch lies in one segment; the
 *         next one goes to the next segment when this one is full and another is ready, else on at its end.
 *         Whoever waits for a batch leaves a struct journal_waiter in it.
 * Units   a place is where a record begins: number of the segment << 32 | bytes / 8.
 * Errors  a batch whose flush failed is never flushed again: its pages may be marked clean. Its messages are told
 *         so; what it said of messages that are kept goes into the next batch, in another segment.
 * Source  fsync(2), and "fsyncgate" of 2018. */
#ifndef QUEUE_JOURNAL_H
#define QUEUE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/disk.h"
#include "queue/record.h"
#include "queue/segment.h"

struct journal_waiter {
	struct journal_waiter *next;
	void (*settled)(struct journal_waiter *w, void *arg, int error); /* 0, or an errno */
	bool stays; /* waits on, when its batch fails, for the one that says the same again */
};

struct journal_batch;

struct journal {
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
	struct journal_batch *filling;
	size_t backlog; /* bytes that are not on the disk yet */
	size_t in_flight;
};

/* segments and free have what was found; key is known. The last of segments is empty and is written to next. */
void journal_open(struct journal *l, int dir, struct disk *flush, struct disk *slow, void *arg);
void journal_close(struct journal *l);

/* Room for a payload in the batch, then the record itself: its place. NULL with ENOMEM, or what broke the log. */
char *journal_room(struct journal *l, size_t length) __attribute__((warn_unused_result));
uint64_t journal_put(struct journal *l, enum record_kind kind, uint64_t id, size_t length);
void journal_wait(struct journal *l, struct journal_waiter *w); /* for the batch that fills */

bool journal_fills(const struct journal *l); /* is there anything to write? */
void journal_write(struct journal *l);       /* gives the batch to the disk */

/* From the next batch on, another segment, if one is ready. False: none is. */
bool journal_turn_over(struct journal *l);

struct segment *journal_segment(struct journal *l, uint64_t number);
static inline uint64_t journal_segment_of(uint64_t place)
{
	return place >> 32;
}
static inline size_t journal_offset_of(uint64_t place)
{
	return (size_t)(place & UINT32_MAX) * RECORD_ALIGN;
}

/* A record, whole and verified, by the descriptor and number of its segment; r points into *memory, to be freed. In
 * any thread: what it looks at does not change. */
int journal_read(const struct journal *l, int fd, uint64_t segment, size_t at, struct record *r,
	char **memory) __attribute__((warn_unused_result));

/* Nothing below that number is needed but the messages that live there. */
void journal_free_below(struct journal *l, uint64_t number);

/* Sees to a spare segment. */
void journal_prepare(struct journal *l, int64_t now_ms);

#endif
