#include "tcprules/rules_address.h"

#include <string.h>

#include "base/str.h"

static bool has(const char *p, size_t n, char c)
{
	return memchr(p, c, n) != NULL;
}

enum { FINE = -1, NOT_NUMERIC = -2 };

/* Four numbers, or one to three with a dot at the end. */
static int check_numeric(const char *p, size_t n)
{
	unsigned numbers = 0, value = 0;
	size_t digits = 0;
	bool zeros = false, large = false, holes = false;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '.') {
			holes = holes || digits == 0;
			numbers++;
			digits = value = 0;
			continue;
		}
		if (p[i] < '0' || p[i] > '9')
			return NOT_NUMERIC;
		zeros = zeros || (digits == 1 && value == 0);
		value = value * 10 + (unsigned)(p[i] - '0');
		large = large || value > 255;
		value &= 0xff; /* large enough to see the next one */
		digits++;
	}
	if (n == 0 || holes || numbers + (digits > 0) > 4 || (digits == 0 && numbers > 3))
		return NO_ADDRESS;
	if (large)
		return OCTET;
	if (zeros)
		return ZEROS;
	return digits > 0 && numbers < 3 ? NO_DOT : FINE;
}

static int check_whole_address(const char *p, size_t n)
{
	return n > 0 && p[n - 1] != '.' && check_numeric(p, n) == FINE ? FINE : INFO_PREFIX;
}

static int check_name(const char *p, size_t n)
{
	if (has(p, n, '*'))
		return STAR;
	return has(p, n, ' ') || has(p, n, '\t') ? BLANK : FINE;
}

/* Behind the @: neither networks nor suffixes are looked for there. */
static int check_info(const char *p, size_t n)
{
	if (n == 0 || p[0] != '=')
		return check_whole_address(p, n);
	return n > 1 && p[1] == '.' ? INFO_PREFIX : check_name(p + 1, n - 1);
}

/* A key as the tables have it. */
static int check_key(const char *key, size_t n)
{
	const int wrong = n == 0 ? FINE : check_numeric(key, n);
	const char *at;

	if (wrong != NOT_NUMERIC)
		return wrong;
	if (key[0] == '=')
		return check_name(key + 1, n - 1);
	at = memrchr(key, '@', n);
	if (at != NULL)
		return check_info(at + 1, n - (size_t)(at + 1 - key));
	if (has(key, n, ' ') || has(key, n, '\t'))
		return BLANK;
	if (has(key, n, '*'))
		return STAR;
	if (key[0] == '[' || has(key, n, '/'))
		return NO_NETWORK;
	for (size_t i = 0; i < n; i++)
		if ((key[i] >= 'a' && key[i] <= 'z') || (key[i] >= 'A' && key[i] <= 'Z'))
			return NO_EQUALS;
	return NO_ADDRESS;
}

/* The key of a range with 0 in place of its numbers, which are in order already. */
static int check_range(const struct rules_text *t)
{
	char memory[256];
	struct str key;

	if (t->next > t->last)
		return EMPTY_RANGE;
	str_init(&key, memory, sizeof memory);
	str_put(&key, t->address, t->left);
	str_putc(&key, '0');
	str_put(&key, t->address + t->right, t->address_len - t->right);
	return key.full ? NO_ADDRESS : check_key(key.s, key.len);
}

const struct rules_finding *rules_address_check(const struct rules_text *t)
{
	int wrong;

	if (!t->is_rule || t->is_net)
		return NULL;
	wrong = t->is_range ? check_range(t) : check_key(t->address, t->address_len);
	return wrong == FINE ? NULL : rules_finding((enum finding)wrong);
}

const struct rules_finding *rules_address_skipped(const char *line, size_t n)
{
	size_t i = 0;

	while (i < n && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r'))
		i++;
	return i == n || line[i] == '#' || has(line, n, ':') ? NULL : rules_finding(NO_COLON);
}
