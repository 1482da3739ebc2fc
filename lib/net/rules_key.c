#include "net/rules_key.h"

#include <string.h>

#include "base/num.h"
#include "net/addr.h"

char rules_key_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

const char *rules_key_name(const char *key, size_t n)
{
	if (n > 0 && key[0] == '=')
		return key + 1;
	for (size_t i = n; i >= 2; i--)
		if (key[i - 1] == '=' && key[i - 2] == '@')
			return key + i;
	return NULL;
}

size_t rules_key_name_len(const char *name, size_t n)
{
	return n > 1 && name[n - 1] == '.' ? n - 1 : n;
}

void rules_key_put_name(struct str *key, const char *name, size_t n)
{
	n = rules_key_name_len(name, n);
	for (size_t i = 0; i < n; i++)
		str_putc(key, rules_key_lower(name[i]));
}

bool rules_key_normalise(struct str *out, const char *key, size_t n)
{
	const char *name = rules_key_name(key, n);

	if (name == NULL)
		return false;
	str_reset(out);
	str_put(out, key, (size_t)(name - key));
	rules_key_put_name(out, name, n - (size_t)(name - key));
	return out->len != n || memcmp(out->s, key, n) != 0;
}

int rules_key_bits(const char *key, size_t n)
{
	const char *close = memchr(key, ']', n);
	unsigned long bits;

	if (close == NULL)
		return -1;
	n -= (size_t)(close + 1 - key);
	if (n == 0)
		return ADDR_BITS;
	if (close[1] != '/' || num_parse_n(close + 2, n - 1, 0, ADDR_BITS, &bits) != NULL)
		return -1;
	return (int)bits;
}
