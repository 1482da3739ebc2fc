#include "mail/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1: not of the alphabet. By ranges, not by a table: the time must not depend on a password's bytes much. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static void put(char *to, size_t cap, size_t at, unsigned byte)
{
	if (at < cap)
		to[at] = (char)(unsigned char)byte;
}

static size_t padding(const char *p, size_t n)
{
	if (n == 0 || p[n - 1] != '=')
		return 0;
	return p[n - 2] == '=' ? 2 : 1;
}

const char *base64_decode(const char *p, size_t n, char *to, size_t cap, size_t *len)
{
	const size_t pad = n % 4 == 0 ? padding(p, n) : 0;
	uint32_t bits = 0;
	unsigned held = 0;

	*len = 0;
	if (n % 4 != 0)
		return "its length is not a multiple of four";
	for (size_t i = 0; i < n - pad; i++) {
		const int value = value_of(p[i]);

		if (value == -1)
			return "a byte is not of the alphabet";
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			put(to, cap, (*len)++, bits >> held & 0xff);
		}
	}
	return (bits & ((1U << held) - 1)) == 0 ? NULL : "unused bits are set";
}

size_t base64_encode(const char *p, size_t n, char *to)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i += 3) {
		const size_t have = n - i < 3 ? n - i : 3;
		uint32_t bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < have ? (unsigned char)p[i + j] : 0U);
		for (size_t j = 0; j < 4; j++)
			to[len++] = j <= have ? alphabet[bits >> (18 - 6 * j) & 63] : '=';
	}
	return len;
}
