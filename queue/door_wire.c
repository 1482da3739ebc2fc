#include "queue/door_wire.h"

#include <stdbool.h>
#include <string.h>

void door_wire_init(struct door_wire *w, const char *letters)
{
	*w = (struct door_wire){ .letters = letters, .at = DOOR_WIRE_LEN };
}

static enum door_wire_event bad(struct door_wire *w)
{
	w->at = DOOR_WIRE_LOST;
	return DOOR_WIRE_BAD;
}

/* Up to the colon. False: no length of ours. */
static bool read_digit(struct door_wire *w, char c)
{
	if (c == ':' && w->left > 0) {
		w->at = DOOR_WIRE_LETTER;
		return true;
	}
	if (c < (w->left == 0 ? '1' : '0') || c > '9')
		return false;
	w->left = w->left * 10 + (size_t)(c - '0');
	return w->left <= 1 + DOOR_WIRE_ENVELOPE;
}

static size_t limit(char letter)
{
	return letter == 'E' ? 1 + DOOR_WIRE_ENVELOPE : letter == 'A' ? 1 : DOOR_WIRE_FRAME;
}

static enum door_wire_event read_letter(struct door_wire *w, char c)
{
	if (c == '\0' || strchr(w->letters, c) == NULL || w->left > limit(c))
		return bad(w);
	w->letter = c;
	w->total = --w->left;
	w->at = w->left > 0 ? DOOR_WIRE_IN : DOOR_WIRE_COMMA;
	return DOOR_WIRE_BEGIN;
}

static enum door_wire_event read_bytes(struct door_wire *w, const char *p, size_t n, size_t *used)
{
	w->p = p;
	w->n = n < w->left ? n : w->left;
	w->left -= w->n;
	if (w->left == 0)
		w->at = DOOR_WIRE_COMMA;
	*used += w->n;
	return DOOR_WIRE_BYTES;
}

enum door_wire_event door_wire_next(struct door_wire *w, const char *p, size_t n, size_t *used)
{
	*used = 0;
	for (; w->at == DOOR_WIRE_LEN && *used < n; ++*used)
		if (!read_digit(w, p[*used]))
			return bad(w);
	if (w->at == DOOR_WIRE_LOST)
		return DOOR_WIRE_BAD;
	if (*used == n)
		return DOOR_WIRE_MORE;
	if (w->at == DOOR_WIRE_IN)
		return read_bytes(w, p + *used, n - *used, used);
	if (w->at == DOOR_WIRE_LETTER)
		return read_letter(w, p[(*used)++]);
	if (p[(*used)++] != ',')
		return bad(w);
	w->at = DOOR_WIRE_LEN;
	return DOOR_WIRE_END;
}

size_t door_wire_head(char to[DOOR_WIRE_HEAD], char letter, size_t n)
{
	char digits[DOOR_WIRE_HEAD];
	size_t count = 0, len = 0;

	for (n++; n > 0 && count < sizeof digits; n /= 10)
		digits[count++] = (char)('0' + n % 10);
	while (count > 0)
		to[len++] = digits[--count];
	to[len++] = ':';
	to[len++] = letter;
	return len;
}
