/* queue/index.h - finds rows of a pool by a hash: a table that never stops to grow.
 *
 * Shape   linear hashing (Litwin, 1980): when there is a row more than buckets, one bucket is split in two, and no other
 *         row is moved. Rows of a bucket are chained through a word of their own.
 * Cost    4 bytes a row; O(1) a step, also while it grows: a piece more is memory nobody has touched, nothing is copied.
 * Errors  index_put: -1 with ENOMEM, nothing has changed. */
#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "queue/pool.h"

enum { INDEX_FIRST_BITS = 10, INDEX_PIECES = 33 - INDEX_FIRST_BITS };

struct index {
	const struct pool *rows;
	size_t chain;                      /* where in a row its word is */
	uint32_t (*hash)(const void *row); /* spread well over all its bits */
	uint32_t *pieces[INDEX_PIECES];    /* each as large as all before it */
	uint32_t buckets;
	size_t count;
	size_t bytes; /* of memory */
};

void index_init(struct index *x, const struct pool *rows, size_t chain, uint32_t (*hash)(const void *row));
void index_free(struct index *x);

int index_put(struct index *x, uint32_t row) __attribute__((warn_unused_result));
void index_drop(struct index *x, uint32_t row);

/* Candidates, to be compared by the caller: the first one for a hash, then the next one after it; 0 at the end. */
uint32_t index_first(const struct index *x, uint32_t hash);
uint32_t index_next(const struct index *x, uint32_t row);

/* Spreads the bits of a number. */
static inline uint32_t index_mix(uint64_t n)
{
	n ^= n >> 32;
	n *= 0x9e3779b97f4a7c15; /* 2^64 / golden ratio */
	n ^= n >> 29;
	n *= 0xbf58476d1ce4e5b9;
	return (uint32_t)(n >> 32);
}

#endif
