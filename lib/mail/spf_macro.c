#include "mail/spf_macro.h"

#include <string.h>
#include <strings.h>

enum { LABEL = 63, TAIL = 1024 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
	return is_alpha(c) || is_digit(c);
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* ---- one macro: RFC 7208 section 7.1 --------------------------------------------------------------- */

struct macro {
	char letter;  /* small; '%', '_' or '-' for the three without braces */
	bool escape;  /* the letter was a capital */
	bool reverse; /* r */
	size_t parts; /* how many from the right; 0: all */
	struct spf_text delimiters;
};

/* Digits: a number larger than any value has parts is as good as all of them. */
static const char *take_parts(const char **p, const char *end, size_t *parts)
{
	if (*p == end || !is_digit(**p))
		return NULL;
	for (; *p < end && is_digit(**p); (*p)++)
		if (*parts < 10000)
			*parts = 10 * *parts + (size_t)(**p - '0');
	return *parts == 0 ? "has a macro that asks for no part of its value" : NULL;
}

static const char *take_braces(const char **p, const char *end, struct macro *m)
{
	const char *wrong;

	if (*p == end || !is_one_of(lower(**p), "slodiphcrtv"))
		return "has a macro with an unknown letter";
	m->escape = **p != lower(**p);
	m->letter = lower(*(*p)++);
	wrong = take_parts(p, end, &m->parts);
	if (wrong != NULL)
		return wrong;
	if (*p < end && lower(**p) == 'r') {
		m->reverse = true;
		(*p)++;
	}
	m->delimiters.p = *p;
	while (*p < end && is_one_of(**p, ".-+,/_="))
		(*p)++;
	m->delimiters.n = (size_t)(*p - m->delimiters.p);
	return *p < end && *(*p)++ == '}' ? NULL : "has a macro that is not closed";
}

/* *p is behind the '%', and behind the macro in the end. */
static const char *take_macro(const char **p, const char *end, struct macro *m)
{
	memset(m, 0, sizeof *m);
	if (*p < end && is_one_of(**p, "%_-")) {
		m->letter = *(*p)++;
		return NULL;
	}
	if (*p == end || **p != '{')
		return "has a % that begins no macro";
	(*p)++;
	return take_braces(p, end, m);
}

/* ---- checking -------------------------------------------------------------------------------------- */

/* forbidden: letters; blanks: may there be any? end_macro: where the last macro begins when the text ends
 * with it, else NULL. */
static const char *check(struct spf_text t, const char *forbidden, bool blanks, bool *ends_in_macro)
{
	const char *p = t.p, *end = t.p + t.n;

	*ends_in_macro = false;
	while (p < end) {
		const char c = *p++;
		struct macro m;
		const char *wrong;

		*ends_in_macro = c == '%';
		if ((c < 0x21 || c > 0x7e) && !(blanks && c == ' '))
			return "holds a byte that it may not";
		if (c != '%')
			continue;
		wrong = take_macro(&p, end, &m);
		if (wrong != NULL)
			return wrong;
		if (is_one_of(m.letter, forbidden))
			return "has a macro that only explanations may have";
	}
	return NULL;
}

/* toplabel: letters, digits and inner hyphens, not digits alone. */
static bool is_top_label(const char *p, size_t n)
{
	bool number = true;

	for (size_t i = 0; i < n; i++) {
		if (!is_alnum(p[i]) && p[i] != '-')
			return false;
		number = number && is_digit(p[i]);
	}
	return n > 0 && !number && p[0] != '-' && p[n - 1] != '-';
}

static bool ends_in_top_label(struct spf_text t)
{
	size_t n = t.n, at;

	if (n > 0 && t.p[n - 1] == '.')
		n--;
	for (at = n; at > 0 && t.p[at - 1] != '.'; at--)
		;
	return at > 0 && is_top_label(t.p + at, n - at); /* at 0: there is no dot before it */
}

const char *spf_check_name(struct spf_text t)
{
	bool ends_in_macro;
	const char *wrong = check(t, "crt", false, &ends_in_macro);

	if (wrong == NULL && t.n == 0)
		return "lacks a domain";
	if (wrong == NULL && !ends_in_macro && !ends_in_top_label(t))
		return "has a domain that ends in no top label";
	return wrong;
}

const char *spf_check_modifier(struct spf_text t)
{
	bool ends_in_macro;

	return check(t, "", false, &ends_in_macro);
}

const char *spf_check_explanation(struct spf_text t)
{
	bool ends_in_macro;

	return check(t, "", true, &ends_in_macro);
}

/* ---- expanding ------------------------------------------------------------------------------------- */

struct out {
	char *s;
	size_t cap, len;
	bool tail; /* when it is full, the older half goes; else what comes is dropped */
	bool lost; /* some did */
};

static void put(struct out *o, char c)
{
	if (o->len == o->cap && o->tail) {
		o->len = o->cap / 2;
		memmove(o->s, o->s + (o->cap - o->len), o->len);
		o->lost = true;
	}
	if (o->len == o->cap)
		o->lost = true;
	else
		o->s[o->len++] = c;
}

static void puts_all(struct out *o, const char *text)
{
	while (*text != '\0')
		put(o, *text++);
}

/* "unreserved" of RFC 3986 section 2.3 stays. */
static void put_value_byte(struct out *o, char c, bool escape)
{
	static const char hex[] = "0123456789ABCDEF";

	if (!escape || is_alnum(c) || is_one_of(c, "-._~")) {
		put(o, c);
		return;
	}
	put(o, '%');
	put(o, hex[(unsigned char)c >> 4]);
	put(o, hex[(unsigned char)c & 15]);
}

static bool is_delimiter(char c, const struct macro *m)
{
	if (m->delimiters.n == 0)
		return c == '.';
	return memchr(m->delimiters.p, c, m->delimiters.n) != NULL;
}

/* The last parts of the value, in their order. */
static void put_forward(struct out *o, struct spf_text value, const struct macro *m)
{
	size_t at = value.n, parts = 0;

	for (; at > 0; at--)
		if (is_delimiter(value.p[at - 1], m) && ++parts == m->parts)
			break;
	for (; at < value.n; at++)
		put_value_byte(o, is_delimiter(value.p[at], m) ? '.' : value.p[at], m->escape);
}

/* The first parts, the last of them first: what is on the right when all is turned round. */
static void put_backward(struct out *o, struct spf_text value, const struct macro *m)
{
	size_t end = 0, parts = 0;

	for (; end < value.n; end++)
		if (is_delimiter(value.p[end], m) && ++parts == m->parts)
			break;
	for (;;) {
		size_t at = end;

		while (at > 0 && !is_delimiter(value.p[at - 1], m))
			at--;
		for (size_t i = at; i < end; i++)
			put_value_byte(o, value.p[i], m->escape);
		if (at == 0)
			return;
		put(o, '.');
		end = at - 1;
	}
}

/* clang-format off */
static struct spf_text value_of(char letter, const struct spf_values *v)
{
	switch (letter) {
	case 's': return v->sender;
	case 'l': return v->local;
	case 'o': return v->origin;
	case 'd': return v->domain;
	case 'i': return v->dotted;
	case 'p': return v->validated(v->arg, v->domain);
	case 'h': return v->helo;
	case 'c': return v->readable;
	case 'r': return v->receiver;
	case 't': return v->time;
	default: return v->version;
	}
}

static void put_macro(struct out *o, const struct macro *m, const struct spf_values *v)
{
	switch (m->letter) {
	case '%': put(o, '%'); return;
	case '_': put(o, ' '); return;
	case '-': puts_all(o, "%20"); return;
	default: break;
	}
	if (m->reverse)
		put_backward(o, value_of(m->letter, v), m);
	else
		put_forward(o, value_of(m->letter, v), m);
}
/* clang-format on */

static void expand(struct spf_text t, const struct spf_values *v, struct out *o)
{
	const char *p = t.p, *end = t.p + t.n;

	while (p < end) {
		const char c = *p++;
		struct macro m;

		if (c != '%')
			put(o, c);
		else if (take_macro(&p, end, &m) == NULL)
			put_macro(o, &m, v);
	}
}

bool spf_is_name(const char *p, size_t n)
{
	size_t label = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
		label = p[i] == '.' ? 0 : label + 1;
		if (label > LABEL || (p[i] == '.' && (i == 0 || p[i - 1] == '.')))
			return false;
	}
	return n > 0 && n < SPF_NAME && label > 0;
}

bool spf_expand_name(struct spf_text t, const struct spf_values *v, char name[SPF_NAME])
{
	char memory[TAIL];
	struct out o = { .s = memory, .cap = sizeof memory, .tail = true };
	size_t from = 0;

	expand(t, v, &o);
	if (o.len > 0 && o.s[o.len - 1] == '.')
		o.len--;
	while (o.len - from >= SPF_NAME) {
		const char *dot = memchr(o.s + from, '.', o.len - from);

		if (dot == NULL)
			return false;
		from = (size_t)(dot - o.s) + 1;
	}
	if (!spf_is_name(o.s + from, o.len - from))
		return false;
	memcpy(name, o.s + from, o.len - from);
	name[o.len - from] = '\0';
	return true;
}

void spf_expand_explanation(struct spf_text t, const struct spf_values *v, char *text, size_t cap)
{
	struct out o = { .s = text, .cap = cap - 1 };

	expand(t, v, &o);
	for (size_t i = 0; i < o.len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			text[i] = '?';
	text[o.len] = '\0';
}
