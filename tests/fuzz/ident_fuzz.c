/* Ident answers: printable or nothing, and the same in whatever pieces they come. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/ident.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ident_answer whole, pieces;

	ident_answer_init(&whole);
	ident_answer_init(&pieces);
	ident_feed(&whole, (const char *)data, size);
	for (size_t i = 0, step = 1; i < size; i += step) {
		step = 1 + (data[i] & 3);
		if (step > size - i)
			step = size - i;
		ident_feed(&pieces, (const char *)data + i, step);
	}
	if (whole.state != pieces.state || whole.len != pieces.len ||
		memcmp(whole.text, pieces.text, whole.len) != 0)
		abort();
	if (whole.len >= IDENT_TEXT || strlen(whole.text) != whole.len)
		abort();
	for (size_t i = 0; i < whole.len; i++)
		if (whole.text[i] < 0x21 || whole.text[i] > 0x7e)
			abort();
	return 0;
}
