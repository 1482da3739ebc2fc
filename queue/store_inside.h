/* queue/store_inside.h - what the files of the store share: store.c, store_message.c, store_recover.c,
 * checkpoint.c. Nobody else includes it. */
#ifndef QUEUE_STORE_INSIDE_H
#define QUEUE_STORE_INSIDE_H

#include "queue/checkpoint.h"
#include "queue/disk.h"
#include "queue/journal.h"
#include "queue/snapshot.h"
#include "queue/store.h"
#include "queue/sweep.h"

enum { STORE_LINE = 256 };

struct store {
	int dir, log_dir, shelf_dir, lock;
	int wake;
	struct table *table;
	struct store_events events;
	uint64_t floor_bytes;
	struct disk flush, slow;
	struct journal journal;
	struct checkpoint checkpoint;
	struct sweep sweep;
	uint64_t next_id;
	int64_t marks_ms; /* when what may wait must be written; CLOCK_NEVER: nothing waits */
	bool eager;       /* something in the batch does not wait */
	bool closing;
	/* disk space, looked at once a second */
	bool full;
	int64_t full_ms;
	/* messages that arrive */
	struct store_message *arriving;
	struct store_message *late; /* those whose owners are to be told that they are lost */
	bool congested;             /* somebody was told to wait */
};

void store_say(struct store *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A place that is no longer needed, of a message that was kept in the log. */
void store_leaves(struct store *s, uint64_t place);

/* The row of a message that was read: from its record, or from the shelf. 0 with errno; EBADMSG: nonsense. */
uint32_t store_row(struct store *s, uint64_t id, const struct record_message *about, const char *envelope);

/* What a record that is a message has: about is copied, the others point into it. False: nonsense. */
bool store_split(
	const struct record *r, struct record_message *about, const char **envelope, const char **message);

void store_wake(struct store *s);

/* store_message.c: tells who has waited. */
void store_message_turn(struct store *s);

/* store_recover.c: segments, table and numbers are as they were. -1: why says what it is. */
int store_recover(struct store *s, size_t segment_bytes, char *why, size_t why_size)
	__attribute__((warn_unused_result));

/* A job of the slow disk: the file of a message is not needed any more. */
void store_unshelve(struct store *s, uint64_t id);

#endif
