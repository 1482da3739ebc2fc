#include "base/utf8.h"

/* By the first byte: how many follow, and the range of the first of these. */
static const struct {
	unsigned char from, to, follow, low, high;
} forms[] = {
	{ 0x00, 0x7f, 0, 0, 0 },
	{ 0xc2, 0xdf, 1, 0x80, 0xbf },
	{ 0xe0, 0xe0, 2, 0xa0, 0xbf },
	{ 0xe1, 0xec, 2, 0x80, 0xbf },
	{ 0xed, 0xed, 2, 0x80, 0x9f },
	{ 0xee, 0xef, 2, 0x80, 0xbf },
	{ 0xf0, 0xf0, 3, 0x90, 0xbf },
	{ 0xf1, 0xf3, 3, 0x80, 0xbf },
	{ 0xf4, 0xf4, 3, 0x80, 0x8f },
};

static bool in(unsigned char c, unsigned char low, unsigned char high)
{
	return c >= low && c <= high;
}

/* Bytes of the character at p, 0: there is none. */
static size_t character(const unsigned char *p, size_t n)
{
	for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
		const size_t follow = forms[f].follow;

		if (!in(p[0], forms[f].from, forms[f].to))
			continue;
		if (follow >= n || (follow > 0 && !in(p[1], forms[f].low, forms[f].high)))
			return 0;
		for (size_t i = 2; i <= follow; i++)
			if (!in(p[i], 0x80, 0xbf))
				return 0;
		return follow + 1;
	}
	return 0;
}

bool utf8_is(const char *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		const size_t used = character((const unsigned char *)p + at, n - at);

		if (used == 0)
			return false;
		at += used;
	}
	return true;
}
