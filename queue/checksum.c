#include "queue/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(sizeof((struct checksum *)0)->secret >= XXH3_SECRET_SIZE_MIN, "XXH3 wants as much");

void checksum_init(struct checksum *c, const unsigned char key[CHECKSUM_KEY])
{
	XXH3_generateSecret(c->secret, sizeof c->secret, key, CHECKSUM_KEY);
}

uint64_t checksum_of(const struct checksum *c, const void *p, size_t n)
{
	return XXH3_64bits_withSecret(p, n, c->secret, sizeof c->secret);
}

struct checksum_sum *checksum_begin(const struct checksum *c)
{
	XXH3_state_t *state = XXH3_createState();

	if (state != NULL)
		XXH3_64bits_reset_withSecret(state, c->secret, sizeof c->secret);
	return (struct checksum_sum *)state;
}

void checksum_add(struct checksum_sum *s, const void *p, size_t n)
{
	XXH3_64bits_update((XXH3_state_t *)s, p, n);
}

uint64_t checksum_end(struct checksum_sum *s)
{
	const uint64_t sum = XXH3_64bits_digest((XXH3_state_t *)s);

	XXH3_freeState((XXH3_state_t *)s);
	return sum;
}
