/* queue/wheel.h - recipients by the time at which they are due.
 *
 * Shape   four wheels of 256 lists: of a second, of 256, of 65536, and so on up to 2106. A list of a coarser wheel is
 *         dealt out to the finer one when its time begins, some rows at a time. Whoever is due is in the list due,
 *         which the caller empties. Rows leave by ring_remove.
 * Units   seconds since 1970.
 * Cost    O(1) a row and wheel; no memory but 1025 heads of lists.
 * Source  Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 7. */
#ifndef QUEUE_WHEEL_H
#define QUEUE_WHEEL_H

#include "queue/ring.h"

enum { WHEEL_LEVELS = 4, WHEEL_SLOTS = 256 };

struct wheel {
	struct ring *ring;
	uint32_t now;
	uint32_t due;     /* list: their time has come */
	uint32_t dealing; /* list: to be dealt out */
	uint32_t slots[WHEEL_LEVELS][WHEEL_SLOTS];
	uint64_t used[WHEEL_LEVELS][WHEEL_SLOTS / 64]; /* it may have a row */
};

int wheel_init(struct wheel *w, struct ring *r, uint32_t now) __attribute__((warn_unused_result));

/* By its field due. */
void wheel_put(struct wheel *w, uint32_t row);

/* Time goes on; at most so many rows are dealt out. True: it is not done yet. */
bool wheel_turn(struct wheel *w, uint32_t now, int rows);

/* Not before then is anything due that is not yet: UINT32_MAX never. May be early. */
uint32_t wheel_next(struct wheel *w);

/* Everything is due; the time may be an earlier one than before. */
void wheel_all(struct wheel *w, uint32_t now);

#endif
