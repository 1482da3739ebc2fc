#include "tcprules/rules_text.h"

#include <string.h>

#include "base/num.h"
#include "net/rules.h"

static const char *const bad_verdict = "after the colon comes deny or allow";
static const char *const bad_variable = "a variable is ,NAME=\"VALUE\"";
static const char *const bad_range = "a range is NUMBER-NUMBER between dots";

size_t rules_text_trim(const char *line, size_t n)
{
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	return n;
}

struct cursor {
	const char *at;
	const char *end;
};

static bool take_word(struct cursor *c, const char *word)
{
	const size_t n = strlen(word);

	if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
		return false;
	c->at += n;
	return true;
}

/* Up to, and past, the next such byte. NULL when there is none. */
static const char *take_until(struct cursor *c, char stop, size_t *n)
{
	const char *start = c->at;
	const char *found = memchr(start, stop, (size_t)(c->end - start));

	if (found == NULL)
		return NULL;
	*n = (size_t)(found - start);
	c->at = found + 1;
	return start;
}

static const char *parse_variable(struct cursor *c, struct str *data)
{
	const char *name, *value;
	size_t name_len, value_len;
	char quote;

	if (*c->at++ != ',')
		return bad_variable;
	name = take_until(c, '=', &name_len);
	if (name == NULL || c->at == c->end)
		return bad_variable;
	quote = *c->at++;
	value = take_until(c, quote, &value_len);
	if (value == NULL)
		return bad_variable;
	rules_put_variable(data, name, name_len, value, value_len);
	return NULL;
}

static const char *parse_data(struct cursor *c, struct str *data)
{
	if (take_word(c, "deny"))
		rules_put_deny(data);
	else if (!take_word(c, "allow"))
		return bad_verdict;
	while (c->at < c->end) {
		const char *wrong = parse_variable(c, data);

		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

/* Digits, or nothing at all, up to the end or a NUL. It wraps round like an unsigned long, since the same
 * text must make the same file: 18446744073709551621 is 5. */
static bool parse_number(const char *p, size_t n, unsigned long *out)
{
	*out = 0;
	for (size_t i = 0; i < n && p[i] != '\0'; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*out = *out * 10 + (unsigned long)(p[i] - '0');
	}
	return true;
}

/* Only the first "-" counts. The number before it starts behind the previous dot, the one after it ends
 * at the next. */
static const char *parse_range(struct rules_text *t)
{
	const char *a = t->address;
	const size_t n = t->address_len;
	const char *dash = memchr(a, '-', n);
	const char *dot;
	size_t middle;

	if (dash == NULL || memchr(a, '=', n) != NULL || memchr(a, '@', n) != NULL)
		return NULL;
	middle = (size_t)(dash - a);
	dot = memrchr(a, '.', middle);
	t->is_range = true;
	t->left = dot == NULL ? 0 : (size_t)(dot - a) + 1;
	dot = memchr(dash, '.', n - middle);
	t->right = dot == NULL ? n : (size_t)(dot - a);
	if (!parse_number(a + t->left, middle - t->left, &t->next) ||
		!parse_number(dash + 1, t->right - middle - 1, &t->last))
		return bad_range;
	if (t->last > 255)
		t->last = 255;
	return NULL;
}

/* ---- networks -------------------------------------------------------------------------------------- */

/* Nothing, or "/" and a number up to max. */
static bool parse_length(const char *p, size_t n, unsigned long max, unsigned long *bits)
{
	*bits = max;
	return n == 0 || (p[0] == '/' && num_parse_n(p + 1, n - 1, 0, max, bits) == NULL);
}

static bool parse_address(const char *p, size_t n, struct addr *a)
{
	char text[ADDR_TEXT];

	if (n >= sizeof text || memchr(p, '\0', n) != NULL)
		return false;
	memcpy(text, p, n);
	text[n] = '\0';
	return addr_parse(text, a) == NULL;
}

static void set_net(struct rules_text *t, unsigned long bits)
{
	t->is_net = true;
	t->bits = (unsigned)bits;
	addr_mask(&t->net, t->bits);
	t->is_late = addr_is_v4(&t->net) && bits >= ADDR_V4_BITS;
	if (t->is_late) {
		const unsigned v4_bits = t->bits - ADDR_V4_BITS;

		t->last = (1U << (v4_bits == 0 ? 8 : (32 - v4_bits) % 8)) - 1;
	}
}

void rules_text_of_v4(
	struct rules_text *t, const char *info, size_t info_len, const unsigned char v4[4], unsigned bits)
{
	memset(t, 0, sizeof *t);
	t->is_rule = true;
	t->address = info;
	t->left = info_len;
	t->net.byte[10] = t->net.byte[11] = 0xff;
	memcpy(t->net.byte + 12, v4, 4);
	set_net(t, ADDR_V4_BITS + bits);
}

/* 1.2.3.4/BITS */
static void parse_v4_net(struct rules_text *t)
{
	const size_t at = (size_t)((const char *)memchr(t->address, '/', t->address_len) - t->address);
	unsigned long bits;

	if (t->is_range || t->address[0] == '[' || !parse_address(t->address, at, &t->net) ||
		!parse_length(t->address + at, t->address_len - at, 32, &bits))
		return;
	set_net(t, ADDR_V4_BITS + bits);
}

/* The first colon of [2001:db8::]/32:deny is none of the rule's; c is behind it. */
static void take_v6(struct cursor *c, struct rules_text *t)
{
	const char *start = t->address, *open = memchr(start, '[', t->address_len);
	const char *close = memchr(c->at, ']', (size_t)(c->end - c->at)), *colon;
	unsigned long bits;

	if (close == NULL || (open > start && open[-1] != '@'))
		return;
	colon = memchr(close, ':', (size_t)(c->end - close));
	if (colon == NULL || (open > start && colon != close + 1) ||
		!parse_address(open + 1, (size_t)(close - open - 1), &t->net) ||
		!parse_length(close + 1, (size_t)(colon - close - 1), ADDR_BITS, &bits))
		return;
	t->address_len = (size_t)(colon - start);
	t->left = (size_t)(open - start);
	set_net(t, bits);
	c->at = colon + 1;
}

static void put_net(const struct rules_text *t, struct str *key)
{
	char text[ADDR_TEXT];

	addr_format(&t->net, text);
	str_putc(key, '[');
	str_puts(key, text);
	str_putc(key, ']');
	if (t->bits < ADDR_BITS) {
		str_putc(key, '/');
		str_putu(key, t->bits);
	}
}

/* As many numbers as the length reaches into, the last one counted up. */
static void put_v4_key(const struct rules_text *t, struct str *key)
{
	const unsigned v4_bits = t->bits - ADDR_V4_BITS, numbers = v4_bits == 0 ? 1 : (v4_bits + 7) / 8;

	for (unsigned i = 0; i < numbers; i++) {
		str_putu(key, t->net.byte[12 + i] + (i == numbers - 1 ? t->next : 0));
		if (i < 3)
			str_putc(key, '.');
	}
}

/* ---- a line ---------------------------------------------------------------------------------------- */

enum { DASH = 1, SLASH = 2, OPEN = 4 };

/* Up to, and past, the first colon. Which bytes are in it decides what else it can be, so that nearly all
 * lines of a large text are looked at once. */
static bool take_address(struct cursor *c, struct rules_text *t, unsigned *seen)
{
	static const unsigned char flag[256] = { ['-'] = DASH, ['/'] = SLASH, ['['] = OPEN };
	const char *p = c->at;

	*seen = 0;
	while (p < c->end && *p != ':')
		*seen |= flag[(unsigned char)*p++];
	if (p == c->end)
		return false;
	t->address = c->at;
	t->address_len = (size_t)(p - c->at);
	c->at = p + 1;
	return true;
}

const char *rules_text_parse(const char *line, size_t n, struct rules_text *t, struct str *data)
{
	struct cursor c = { .at = line, .end = line + n };
	const char *wrong;
	unsigned seen;

	memset(t, 0, sizeof *t);
	if (n == 0 || line[0] == '#' || !take_address(&c, t, &seen))
		return NULL;
	if (seen & OPEN)
		take_v6(&c, t);
	wrong = parse_data(&c, data);
	if (wrong == NULL && (seen & DASH) && !t->is_net)
		wrong = parse_range(t);
	if (wrong == NULL && (seen & SLASH) && !t->is_net)
		parse_v4_net(t);
	t->is_rule = wrong == NULL;
	return wrong;
}

bool rules_text_key(struct rules_text *t, struct str *key)
{
	if (!t->is_rule || t->next > t->last)
		return false;
	if (t->is_range) {
		str_put(key, t->address, t->left);
		str_putu(key, t->next);
		str_put(key, t->address + t->right, t->address_len - t->right);
	} else if (t->is_net) {
		str_put(key, t->address, t->left);
		if (t->is_late)
			put_v4_key(t, key);
		else
			put_net(t, key);
	} else {
		str_put(key, t->address, t->address_len);
	}
	t->next++;
	return true;
}
