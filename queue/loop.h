/* queue/loop.h - rows of a pool in a circle: whose turn it is, who is next.
 *
 * Shape   the circle is known by the number of its first row, 0 when there is none; two words of each row link it. */
#ifndef QUEUE_LOOP_H
#define QUEUE_LOOP_H

#include "queue/pool.h"

struct loop_links {
	uint32_t next, back;
};

struct loop {
	const struct pool *rows;
	size_t links; /* where in a row they are */
};

static inline struct loop_links *loop_links(const struct loop *l, uint32_t row)
{
	return (struct loop_links *)(void *)((unsigned char *)pool_at(l->rows, row) + l->links);
}

/* Its turn comes after all the others'. */
static inline void loop_append(const struct loop *l, uint32_t *first, uint32_t row)
{
	struct loop_links *x = loop_links(l, row), *f;

	if (*first == 0) {
		x->next = x->back = row;
		*first = row;
		return;
	}
	f = loop_links(l, *first);
	x->next = *first;
	x->back = f->back;
	loop_links(l, f->back)->next = row;
	f->back = row;
}

static inline void loop_remove(const struct loop *l, uint32_t *first, uint32_t row)
{
	const struct loop_links *x = loop_links(l, row);

	if (x->next == row) {
		*first = 0;
		return;
	}
	if (*first == row)
		*first = x->next;
	loop_links(l, x->next)->back = x->back;
	loop_links(l, x->back)->next = x->next;
}

/* The first one, whose turn is over. */
static inline uint32_t loop_turn(const struct loop *l, uint32_t *first)
{
	uint32_t row = *first;

	if (row != 0)
		*first = loop_links(l, row)->next;
	return row;
}

#endif
