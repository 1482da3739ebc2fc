#include "queue/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES_MAX = UINT32_MAX >> POOL_BITS };

static size_t rows_bytes(const struct pool *p)
{
	return (p->row_bytes * POOL_PIECE + 7) / 8 * 8;
}

static size_t piece_bytes(const struct pool *p)
{
	return rows_bytes(p) + POOL_WORDS * sizeof(uint64_t);
}

void pool_init(struct pool *p, size_t row_bytes)
{
	*p = (struct pool){ .row_bytes = row_bytes };
}

void pool_free(struct pool *p)
{
	for (uint32_t i = 0; i < p->used; i++)
		free(p->pieces[i].rows);
	free(p->pieces);
	free(p->spare);
	pool_init(p, p->row_bytes);
}

static void list_roomy(struct pool *p, uint32_t at)
{
	p->pieces[at].is_roomy = true;
	p->pieces[at].roomy = p->roomy;
	p->roomy = at + 1;
}

/* The list of pieces is small: 16 bytes for 4096 rows or so. */
static int another_piece(struct pool *p)
{
	if (p->used == p->cap) {
		uint32_t cap = p->cap == 0 ? 4 : p->cap * 2;
		struct pool_piece *more;

		if (p->used == PIECES_MAX) {
			errno = ENOMEM;
			return -1;
		}
		more = realloc(p->pieces, cap * sizeof *more);
		if (more == NULL)
			return -1;
		p->bytes += (cap - p->cap) * sizeof *more;
		p->pieces = more;
		p->cap = cap;
	}
	p->pieces[p->used] = (struct pool_piece){ .rows = NULL };
	list_roomy(p, p->used++);
	return 0;
}

static int fill(struct pool *p, uint32_t at)
{
	struct pool_piece *c = &p->pieces[at];

	if (p->spare == NULL) {
		p->spare = malloc(piece_bytes(p));
		if (p->spare == NULL)
			return -1;
		p->bytes += piece_bytes(p);
	}
	c->rows = p->spare;
	p->spare = NULL;
	c->lives = (uint64_t *)(void *)(c->rows + rows_bytes(p));
	memset(c->lives, 0, POOL_WORDS * sizeof *c->lives);
	if (at == 0)
		c->lives[0] = 1; /* row 0 is none; it is not counted */
	return 0;
}

static uint32_t first_free(const struct pool_piece *c)
{
	uint32_t w = 0;

	while (~c->lives[w] == 0)
		w++;
	return w * 64 + (uint32_t)__builtin_ctzll(~c->lives[w]);
}

/* How many rows the piece can have. */
static uint32_t room_of(uint32_t at)
{
	return POOL_PIECE - (at == 0);
}

uint32_t pool_take(struct pool *p)
{
	struct pool_piece *c;
	uint32_t at, row;

	if (p->roomy == 0 && another_piece(p) == -1)
		return 0;
	at = p->roomy - 1;
	c = &p->pieces[at];
	if (c->rows == NULL && fill(p, at) == -1)
		return 0;
	row = first_free(c);
	c->lives[row / 64] |= (uint64_t)1 << row % 64;
	if (++c->count == room_of(at)) {
		p->roomy = c->roomy;
		c->is_roomy = false;
	}
	p->count++;
	row |= at << POOL_BITS;
	memset(pool_at(p, row), 0, p->row_bytes);
	return row;
}

void pool_give(struct pool *p, uint32_t row)
{
	uint32_t at = row >> POOL_BITS;
	struct pool_piece *c = &p->pieces[at];

	row &= POOL_PIECE - 1;
	c->lives[row / 64] &= ~((uint64_t)1 << row % 64);
	p->count--;
	if (!c->is_roomy)
		list_roomy(p, at);
	if (--c->count > 0)
		return;
	if (p->spare == NULL) {
		p->spare = c->rows;
	} else {
		free(c->rows);
		p->bytes -= piece_bytes(p);
	}
	c->rows = NULL;
}

/* In a piece, from this row on; POOL_PIECE: no more. */
static uint32_t next_living(const struct pool_piece *c, uint32_t row)
{
	uint64_t word;

	if (c->count == 0 || row == POOL_PIECE)
		return POOL_PIECE;
	word = c->lives[row / 64] & ~(uint64_t)0 << row % 64;
	for (row /= 64; word == 0; word = c->lives[row])
		if (++row == POOL_WORDS)
			return POOL_PIECE;
	return row * 64 + (uint32_t)__builtin_ctzll(word);
}

uint32_t pool_each(const struct pool *p, uint32_t row)
{
	uint32_t from = (row & (POOL_PIECE - 1)) + 1;

	for (uint32_t at = row >> POOL_BITS; at < p->used; at++, from = 0) {
		uint32_t next = next_living(&p->pieces[at], from);

		if (next < POOL_PIECE)
			return at << POOL_BITS | next;
	}
	return 0;
}
