/* Answers of a Postfix policy server: what is understood can be said to smtpd. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtpd/policy_delegation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char memory[4 * POLICY_BLOCK];
	struct policy_answer a, back;
	char *exact;
	size_t n;

	if (size > POLICY_BLOCK)
		return 0;
	n = policy_block_end((const char *)data, size, 0);
	exact = malloc(n + 1);
	if (exact == NULL)
		return 0;
	memcpy(exact, data, n);
	if (n > 0 && policy_delegation_take(exact, n, &a) == NULL) {
		struct str out;

		str_init(&out, memory, sizeof memory);
		policy_encode_answer(&out, &a);
		if (out.full || policy_decode_answer(memory, out.len, &back) != NULL ||
			a.action != back.action)
			abort();
	}
	free(exact);
	return 0;
}
