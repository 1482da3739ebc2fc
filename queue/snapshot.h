/* queue/snapshot.h - all that the table knows, in one file that is read in one go: where a start begins.
 *
 * Shape   queue/snapshot: a head, blocks of rows, an empty block. It says from which segment on the log tells what came
 *         later; what it says of messages that changed meanwhile may be older than that, and the log says it again.
 *         Written as snapshot.new, block by block, while work goes on.
 *             head   struct snapshot_head
 *             block  u32 bytes of the rows, u32 rows, u64 keyed check of the rows, rows
 *             row    struct snapshot_message, then as many struct snapshot_recipient
 * Errors  -1 with errno; EBADMSG: damaged.
 * Source  queue/STATES.md. */
#ifndef QUEUE_SNAPSHOT_H
#define QUEUE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/checksum.h"
#include "queue/disk.h"
#include "queue/table.h"

struct snapshot_head {
	char magic[16];
	unsigned char key[CHECKSUM_KEY];
	uint64_t start; /* the first segment that has to be read */
	uint64_t next_id;
	uint64_t next_batch;
	uint64_t check; /* of all before it, with no key: it is here that the key is told */
};

/* ---- writing -------------------------------------------------------------------------------------------- */

struct snapshot_job;

struct snapshot {
	struct snapshot_job *job; /* NULL: none is being written */
	uint64_t bytes;           /* of the last one */
};

/* Begins: rows are read by snapshot_turn, some at a time. */
int snapshot_begin(struct snapshot *x, int dir, const struct checksum *sum, const struct snapshot_head *h)
	__attribute__((warn_unused_result));

/* Gives the next block to the disk, unless one is on its way. False: nothing is left to do; *error is 0 when the
 * file stands under its name, for good. */
bool snapshot_turn(struct snapshot *x, struct table *t, struct disk *d, int *error);

/* ---- reading -------------------------------------------------------------------------------------------- */

/* Reads it all into the table, and sets the table's key. -1 with ENOENT: there is none. After any other error too, what
 * has been read is right; h->magic is "" when not even the head was. */
int snapshot_read(int dir, struct snapshot_head *h, struct table *t) __attribute__((warn_unused_result));

#endif
