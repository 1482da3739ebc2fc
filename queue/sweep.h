/* queue/sweep.h - after a start: files of the shelf that belong to no message go.
 *
 * Shape   a crash leaves them: of messages that were not whole yet, so that nobody was told that they are kept, and of
 *         some whose end was on the disk before their file went. One folder a turn, while work goes on.
 * Errors  a folder that cannot be read is left alone.
 * Source  queue/STATES.md. */
#ifndef QUEUE_SWEEP_H
#define QUEUE_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

struct store;

struct sweep {
	bool off; /* the start has found damage: what looks like nobody's may be all that is left of a message */
	uint64_t before; /* numbers from this one on belong to this process */
	unsigned folder; /* the next one */
	unsigned gone;
	bool away;
};

void sweep_turn(struct store *s);

#endif
