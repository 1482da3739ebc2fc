/* Policy blocks, after a first byte that says of which side: what is read can be written and is read alike. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/policy_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Room for every byte escaped, so that nothing is ever full. */
static char first[4 * POLICY_BLOCK], second[4 * POLICY_BLOCK];

static const char *decode(char side, char *block, size_t n, struct str *out)
{
	struct policy_request q;
	struct policy_answer a;
	const char *wrong;

	if (side == 'q') {
		wrong = policy_decode_request(block, n, &q);
		if (wrong == NULL)
			policy_encode_request(out, &q);
	} else {
		wrong = policy_decode_answer(block, n, &a);
		if (wrong == NULL)
			policy_encode_answer(out, &a);
	}
	return wrong;
}

static void round_trip(char side, char *block, size_t n)
{
	struct str once, twice;
	char *copy;

	str_init(&once, first, sizeof first);
	str_init(&twice, second, sizeof second);
	if (decode(side, block, n, &once) != NULL)
		return;
	copy = malloc(once.len);
	if (copy == NULL)
		return;
	memcpy(copy, once.s, once.len);
	if (once.full || policy_block_end(copy, once.len, 0) != once.len ||
		decode(side, copy, once.len, &twice) != NULL || strcmp(once.s, twice.s) != 0)
		abort();
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;
	char *exact;

	if (size < 2 || size > POLICY_BLOCK)
		return 0;
	n = policy_block_end((const char *)data + 1, size - 1, 0);
	if (n == 0)
		return 0;
	for (size_t have = 0; have < n; have++)
		if (policy_block_end((const char *)data + 1, have, have > 0 ? have - 1 : 0) != 0)
			abort();
	exact = malloc(n); /* a byte too far is found */
	if (exact == NULL)
		return 0;
	memcpy(exact, data + 1, n);
	round_trip((char)data[0], exact, n);
	free(exact);
	return 0;
}
