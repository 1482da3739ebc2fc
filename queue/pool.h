/* queue/pool.h - rows of one size that have numbers: memory that grows and shrinks in pieces.
 *
 * Shape   numbers begin at 1; 0 is none. A row is all zero when it is taken. It stays where it is in memory while it
 *         lives; a piece of which no row lives is given back.
 * Cost    O(1) each; a piece is 4096 rows, allocated when its first row is taken.
 * Errors  pool_take: 0 with ENOMEM. */
#ifndef QUEUE_POOL_H
#define QUEUE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POOL_BITS = 12, POOL_PIECE = 1 << POOL_BITS, POOL_WORDS = POOL_PIECE / 64 };

struct pool_piece {
	unsigned char *rows; /* NULL: none lives */
	uint64_t *lives;     /* a bit a row, behind them */
	uint32_t count;      /* of those that live */
	uint32_t roomy;      /* the next one with room, +1 */
	bool is_roomy;       /* it is in that list */
};

struct pool {
	struct pool_piece *pieces;
	unsigned char *spare; /* a piece that was not given back: to and fro at the edge costs nothing */
	size_t row_bytes;
	uint32_t used, cap; /* pieces */
	uint32_t roomy;
	size_t count;
	size_t bytes; /* of memory, all together */
};

void pool_init(
	struct pool *p, size_t row_bytes); /* a multiple of 8, or of 4 for rows without 64-bit words */
void pool_free(struct pool *p);

uint32_t pool_take(struct pool *p) __attribute__((warn_unused_result));
void pool_give(struct pool *p, uint32_t row);

static inline void *pool_at(const struct pool *p, uint32_t row)
{
	return p->pieces[row >> POOL_BITS].rows + (row & (POOL_PIECE - 1)) * p->row_bytes;
}

/* The next row that lives, by number; after 0 the first, 0 after the last. */
uint32_t pool_each(const struct pool *p, uint32_t row);

#endif
