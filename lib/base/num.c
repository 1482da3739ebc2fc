#include "base/num.h"

#include <limits.h>
#include <string.h>

size_t num_leading(const char *text, size_t n, unsigned long *out)
{
	unsigned long value = 0;
	size_t i;

	for (i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++) {
		unsigned long digit = (unsigned long)(text[i] - '0');

		if (value > (ULONG_MAX - digit) / 10)
			value = ULONG_MAX; /* and stays there: ULONG_MAX / 10 < ULONG_MAX */
		else
			value = value * 10 + digit;
	}
	*out = value;
	return i;
}

const char *num_parse_n(
	const char *text, size_t n, unsigned long min, unsigned long max, unsigned long *out)
{
	unsigned long value;

	if (n == 0 || num_leading(text, n, &value) != n)
		return "is not a decimal number";
	if (value < min)
		return "is too small";
	if (value > max || value == ULONG_MAX)
		return "is too large";
	*out = value;
	return NULL;
}

const char *num_parse(const char *text, unsigned long min, unsigned long max, unsigned long *out)
{
	return num_parse_n(text, strlen(text), min, max, out);
}
