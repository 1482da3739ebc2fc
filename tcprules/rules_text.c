#include "tcprules/rules_text.h"

#include <string.h>

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

const char *rules_text_parse(const char *line, size_t n, struct rules_text *t, struct str *data)
{
	struct cursor c = { .at = line, .end = line + n };
	const char *wrong;

	memset(t, 0, sizeof *t);
	if (n == 0 || line[0] == '#')
		return NULL;
	t->address = take_until(&c, ':', &t->address_len);
	if (t->address == NULL)
		return NULL;
	wrong = parse_data(&c, data);
	if (wrong == NULL)
		wrong = parse_range(t);
	t->is_rule = wrong == NULL;
	return wrong;
}

bool rules_text_key(struct rules_text *t, struct str *key)
{
	if (!t->is_rule)
		return false;
	if (!t->is_range) {
		str_put(key, t->address, t->address_len);
		t->is_rule = false;
		return true;
	}
	if (t->next > t->last)
		return false;
	str_put(key, t->address, t->left);
	str_putu(key, t->next);
	str_put(key, t->address + t->right, t->address_len - t->right);
	t->next++;
	return true;
}
