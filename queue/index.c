#include "queue/index.h"

#include <stdlib.h>
#include <string.h>

void index_init(struct index *x, const struct pool *rows, size_t chain, uint32_t (*hash)(const void *row))
{
	*x = (struct index){ .rows = rows, .chain = chain, .hash = hash };
}

void index_free(struct index *x)
{
	for (int i = 0; i < INDEX_PIECES; i++)
		free(x->pieces[i]);
	index_init(x, x->rows, x->chain, x->hash);
}

/* The largest power of two that is not larger. */
static uint32_t power_below(uint32_t n)
{
	return (uint32_t)1 << (31 - __builtin_clz(n));
}

/* Piece 0 has the first buckets, each other one those that have a bit more. */
static unsigned piece_of(uint32_t bucket)
{
	return bucket >> INDEX_FIRST_BITS == 0 ? 0
					       : 32 - INDEX_FIRST_BITS - (unsigned)__builtin_clz(bucket);
}

static uint32_t *head(const struct index *x, uint32_t bucket)
{
	unsigned piece = piece_of(bucket);

	return &x->pieces[piece][piece == 0 ? bucket : bucket - power_below(bucket)];
}

static uint32_t *chain_of(const struct index *x, uint32_t row)
{
	return (uint32_t *)(void *)((unsigned char *)pool_at(x->rows, row) + x->chain);
}

/* Buckets that are split already have a bit of the hash more. */
static uint32_t bucket_of(const struct index *x, uint32_t hash)
{
	uint32_t level = power_below(x->buckets);
	uint32_t bucket = hash & (level - 1);

	if ((bucket | level) < x->buckets)
		bucket |= hash & level;
	return bucket;
}

/* The piece that begins with this bucket. */
static int another_piece(struct index *x, uint32_t bucket)
{
	size_t n = bucket == 0 ? (size_t)1 << INDEX_FIRST_BITS : bucket;
	uint32_t *piece = calloc(n, sizeof *piece);

	if (piece == NULL)
		return -1;
	x->pieces[piece_of(bucket)] = piece;
	x->bytes += n * sizeof *piece;
	return 0;
}

/* Bucket 0 has nothing to be split from. */
static int another_bucket(struct index *x)
{
	uint32_t fresh = x->buckets, from, *link;

	if (x->pieces[piece_of(fresh)] == NULL && another_piece(x, fresh) == -1)
		return -1;
	x->buckets++;
	if (fresh == 0)
		return 0;
	from = fresh & ~power_below(fresh);
	link = head(x, from);
	while (*link != 0) {
		uint32_t row = *link, *chain = chain_of(x, row);

		if (bucket_of(x, x->hash(pool_at(x->rows, row))) == from) {
			link = chain;
			continue;
		}
		*link = *chain;
		*chain = *head(x, fresh);
		*head(x, fresh) = row;
	}
	return 0;
}

int index_put(struct index *x, uint32_t row)
{
	uint32_t *first;

	if (x->count >= x->buckets && another_bucket(x) == -1)
		return -1;
	first = head(x, bucket_of(x, x->hash(pool_at(x->rows, row))));
	*chain_of(x, row) = *first;
	*first = row;
	x->count++;
	return 0;
}

void index_drop(struct index *x, uint32_t row)
{
	uint32_t *link = head(x, bucket_of(x, x->hash(pool_at(x->rows, row))));

	while (*link != row)
		link = chain_of(x, *link);
	*link = *chain_of(x, row);
	x->count--;
}

uint32_t index_first(const struct index *x, uint32_t hash)
{
	return x->buckets == 0 ? 0 : *head(x, bucket_of(x, hash));
}

uint32_t index_next(const struct index *x, uint32_t row)
{
	return *chain_of(x, row);
}
