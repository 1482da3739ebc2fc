/* queue/ring.h - lists of recipients, through two words of their own rows.
 *
 * Shape   a recipient is in one list at most, and leaves it without anybody knowing which. A list is known by the
 *         number of its head, and has an owner: a number of the caller's.
 * Cost    O(1) each. 12 bytes a list.
 * Errors  ring_open: 0 with ENOMEM. */
#ifndef QUEUE_RING_H
#define QUEUE_RING_H

#include "queue/pool.h"
#include "queue/table.h"

struct ring {
	struct table *table;
	struct pool heads;
};

void ring_init(struct ring *r, struct table *t);
void ring_free(struct ring *r);

uint32_t ring_open(struct ring *r, uint32_t owner) __attribute__((warn_unused_result));
void ring_close(struct ring *r, uint32_t head); /* an empty one */
uint32_t ring_owner(const struct ring *r, uint32_t head);

void ring_append(struct ring *r, uint32_t head, uint32_t row);
/* 0, or the head of the list that is empty now. */
uint32_t ring_remove(struct ring *r, uint32_t row);
uint32_t ring_first(const struct ring *r, uint32_t head); /* 0: it is empty */
/* All of one list behind all of another. */
void ring_splice(struct ring *r, uint32_t from, uint32_t to);

#endif
