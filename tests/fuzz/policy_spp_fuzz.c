/* What a plug-in of qmail-spp prints: what is understood can be said to smtpd. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtpd/policy_spp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char memory[4 * POLICY_BLOCK];
	char *const none[] = { NULL };
	struct policy_answer a, back;
	struct spp s = { .later = POLICY_OTHER };
	struct env e;
	char *output;

	if (size > POLICY_BLOCK / 2 || env_init(&e, none) == -1)
		return 0;
	output = malloc(size + 1);
	if (output == NULL)
		return 0;
	memcpy(output, data, size);
	output[size] = '\0';
	policy_answer_init(&a);
	a.action = POLICY_CONTINUE;
	if (spp_take(&s, &e, output, &a) == NULL) {
		struct str out;

		if (s.later == POLICY_RCPT)
			spp_refuse(s.later_text, false, &a);
		str_init(&out, memory, sizeof memory);
		policy_encode_answer(&out, &a);
		if (out.full || policy_decode_answer(memory, out.len, &back) != NULL ||
			a.action != back.action)
			abort();
	}
	env_free(&e);
	free(output);
	return 0;
}
