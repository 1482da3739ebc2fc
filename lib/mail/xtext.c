#include "mail/xtext.h"

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that p begins with, and how many bytes it takes; -1: it is none. */
static int byte_at(const char *p, size_t n, size_t *used)
{
	int high, low;

	*used = 1;
	if (*p <= ' ' || *p > '~' || *p == '=')
		return -1;
	if (*p != '+')
		return *p;
	*used = 3;
	if (n < 3)
		return -1;
	high = digit(p[1]);
	low = digit(p[2]);
	return high == -1 || low == -1 ? -1 : high * 16 + low;
}

bool xtext_is(const char *p, size_t n)
{
	size_t used;

	for (size_t i = 0; i < n; i += used)
		if (byte_at(p + i, n - i, &used) == -1)
			return false;
	return n > 0;
}

bool xtext_decode(const char *p, size_t n, struct str *to)
{
	size_t used;

	for (size_t i = 0; i < n; i += used) {
		const int c = byte_at(p + i, n - i, &used);

		if (c == -1)
			return false;
		str_putc(to, (char)c);
	}
	return n > 0;
}
