/* Frames of the queue's socket: the same events in whatever pieces they come, and what was heard can be said again
 * in the same bytes. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/door_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that was heard, written again. Returns its length; *bad: where the parser gave up. */
static size_t again(char *out, const char *in, size_t n, const char *letters, size_t piece, bool *bad)
{
	struct door_wire w;
	size_t at = 0, len = 0;

	door_wire_init(&w, letters);
	*bad = false;
	while (at < n) {
		const size_t have = n - at < piece ? n - at : piece;
		char *exact = malloc(have > 0 ? have : 1); /* so that the sanitizer sees a byte too many */
		size_t used;

		if (exact == NULL)
			abort();
		memcpy(exact, in + at, have);
		switch (door_wire_next(&w, exact, have, &used)) {
		case DOOR_WIRE_BEGIN:
			len += door_wire_head(out + len, w.letter, w.total);
			break;
		case DOOR_WIRE_BYTES:
			if (w.n == 0 || w.n > have)
				abort();
			memcpy(out + len, w.p, w.n);
			len += w.n;
			break;
		case DOOR_WIRE_END:
			out[len++] = ',';
			break;
		case DOOR_WIRE_BAD:
			*bad = true;
			free(exact);
			return len;
		case DOOR_WIRE_MORE:
			if (used != have)
				abort();
			break;
		}
		if (used > have)
			abort();
		free(exact);
		at += used;
	}
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *letters = size > 0 && (data[0] & 1) ? DOOR_WIRE_OF_CLIENT : DOOR_WIRE_OF_SERVER;
	const char *in = (const char *)data + 1;
	const size_t n = size > 0 ? size - 1 : 0;
	char *whole = malloc(size + DOOR_WIRE_HEAD), *cut = malloc(size + DOOR_WIRE_HEAD);
	bool bad, bad_too;

	if (whole != NULL && cut != NULL && size > 0) {
		const size_t len = again(whole, in, n, letters, n, &bad);

		if (len > n || memcmp(whole, in, len) != 0)
			abort();
		for (size_t piece = 1; piece < 8; piece++)
			if (again(cut, in, n, letters, piece, &bad_too) != len || bad_too != bad ||
				memcmp(cut, whole, len) != 0)
				abort();
	}
	free(whole);
	free(cut);
	return 0;
}
