/* Paths: whatever is accepted keeps its promises, and parses again to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address a;
	size_t used = 0;
	char *exact = malloc(size + 1); /* a read behind the end shows */

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	if (address_parse_path(&a, exact, size, &used) == NULL) {
		if (used == 0 || used > size || exact[used - 1] != '>')
			abort();
		if (a.len > ADDRESS_MAX || strlen(a.text) != a.len || a.at > a.len)
			abort();
		if (a.at < a.len && (a.text[a.at] != '@' || a.at == 0 || a.at + 1 == a.len))
			abort();
		for (size_t i = 0; i < a.len; i++)
			if ((a.text[i] >= 0 && a.text[i] < ' ') || a.text[i] == 0x7f ||
				(a.text[i] < 0 && !a.utf8))
				abort();
		if (!utf8_is(a.text, a.len))
			abort();
	}
	free(exact);
	return 0;
}
