#include "base/str.h"

#include <string.h>

void str_init(struct str *b, char *memory, size_t cap)
{
	b->s = memory;
	b->cap = cap;
	str_reset(b);
}

void str_reset(struct str *b)
{
	b->len = 0;
	b->full = false;
	b->s[0] = '\0';
}

void str_put(struct str *b, const void *p, size_t n)
{
	if (b->full || n >= b->cap - b->len) {
		b->full = true;
		return;
	}
	if (n > 0)
		memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void str_puts(struct str *b, const char *text)
{
	str_put(b, text, strlen(text));
}

void str_putc(struct str *b, char c)
{
	str_put(b, &c, 1);
}

void str_putu(struct str *b, unsigned long n)
{
	char digits[3 * sizeof n]; /* 8 bits are less than 3 digits */
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	str_put(b, digits + at, sizeof digits - at);
}

void str_put02u(struct str *b, unsigned n)
{
	if (n < 10)
		str_putc(b, '0');
	str_putu(b, n);
}

void str_put_printable(struct str *b, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		str_putc(b, p[i] >= 0x20 && p[i] < 0x7f ? p[i] : '?');
}
