/* Envelopes: whatever is called whole can be walked, and every prefix of it is called cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope e;
	char *exact = malloc(size + 1);
	size_t count = 0;

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	envelope_init(&e, exact, size);
	if (envelope_check(&e, size) == ENVELOPE_WHOLE) {
		const size_t len = e.len;

		if (len > size || strlen(envelope_sender(&e)) > ENVELOPE_ADDRESS_MAX)
			abort();
		for (const char *r = envelope_next(&e, NULL); r != NULL; r = envelope_next(&e, r))
			count++;
		if (count != e.recipients)
			abort();
		if (envelope_check(&e, len - 1) != ENVELOPE_CUT)
			abort();
	}
	free(exact);
	return 0;
}
