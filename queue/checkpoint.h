/* queue/checkpoint.h - makes segments of the log free: what they hold and is still needed goes to the shelf, what they
 * say goes into the snapshot.
 *
 * Shape   one step a turn, so that intake goes on meanwhile: the log turns over to another segment; messages in old
 *         segments are copied to the shelf, some at a time, and flushed together; the snapshot is written; then
 *         what lies before it is free.
 * Errors  a step that fails is said, and all of it is tried again later; the log grows until then.
 * Source  queue/STATES.md. */
#ifndef QUEUE_CHECKPOINT_H
#define QUEUE_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/numbers.h"
#include "queue/snapshot.h"

enum checkpoint_step {
	CHECKPOINT_IDLE,
	CHECKPOINT_DRAIN,
	CHECKPOINT_MOVE,
	CHECKPOINT_SYNC,
	CHECKPOINT_WRITE
};

struct store;

struct checkpoint {
	enum checkpoint_step step;
	uint64_t start;       /* segments before this one are not read at a start */
	uint64_t next;        /* that of the one that is being made */
	uint32_t walk;        /* row, in CHECKPOINT_MOVE */
	bool walked;          /* that was the last */
	bool away;            /* a job is */
	struct numbers moved; /* messages that have a file now */
	int64_t retry_ms;
	struct snapshot snapshot;
};

/* all: now, although it is not time yet; nothing is moved then. */
void checkpoint_turn(struct store *s, bool all);

/* Is it at work, or would it be? */
bool checkpoint_busy(const struct store *s);
void checkpoint_close(struct store *s);

#endif
