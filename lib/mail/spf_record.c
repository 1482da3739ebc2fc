#include "mail/spf_record.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static const char version[] = "v=spf1";

enum { V4_BITS = 32, V6_BITS = 128 };

bool spf_is_record(const void *data, size_t n)
{
	const size_t len = sizeof version - 1;
	const char *p = data;

	return n >= len && strncasecmp(p, version, len) == 0 && (n == len || p[len] == ' ');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_byte(char c)
{
	return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
}

static bool is_word(struct spf_text t, const char *word)
{
	return strlen(word) == t.n && strncasecmp(t.p, word, t.n) == 0;
}

/* ---- prefix lengths -------------------------------------------------------------------------------- */

/* "/DIGITS" at the end of the text: taken off, and read. *found tells whether there was one. */
static const char *take_length(struct spf_text *t, unsigned max, unsigned *bits, bool *found)
{
	size_t at = t->n;
	unsigned n = 0;

	while (at > 0 && is_digit(t->p[at - 1]))
		at--;
	*found = at > 0 && at < t->n && t->p[at - 1] == '/';
	if (!*found)
		return NULL;
	if (t->p[at] == '0' && t->n - at > 1)
		return "has a prefix length with a leading zero";
	for (size_t i = at; i < t->n && n <= max; i++)
		n = 10 * n + (unsigned)(t->p[i] - '0');
	if (n > max)
		return "has a prefix length that is too large";
	*bits = n;
	t->n = at - 1;
	return NULL;
}

/* [ "/" IPv4 length ] [ "//" IPv6 length ] */
static const char *take_lengths(struct spf_text *t, struct spf_term *out)
{
	bool found;
	size_t at = t->n;
	const char *wrong;

	while (at > 0 && is_digit(t->p[at - 1]))
		at--;
	if (at >= 2 && at < t->n && t->p[at - 1] == '/' && t->p[at - 2] == '/') {
		wrong = take_length(t, V6_BITS, &out->bits6, &found);
		if (wrong != NULL)
			return wrong;
		t->n--;
	}
	return take_length(t, V4_BITS, &out->bits4, &found);
}

/* ---- addresses ------------------------------------------------------------------------------------- */

/* One number without leading zeros, 0 to 255. */
static bool take_byte(const char **p, const char *end, unsigned char *out)
{
	const char *start = *p;
	unsigned n = 0;

	while (*p < end && is_digit(**p) && *p - start < 3)
		n = 10 * n + (unsigned)(*(*p)++ - '0');
	*out = (unsigned char)n;
	return *p > start && n <= 255 && (*start != '0' || *p - start == 1);
}

static bool read_ip4(struct spf_text t, unsigned char ip[16])
{
	const char *p = t.p, *end = t.p + t.n;

	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0 && (p == end || *p++ != '.'))
			return false;
		if (!take_byte(&p, end, ip + 12 + i))
			return false;
	}
	return p == end;
}

static bool read_ip6(struct spf_text t, unsigned char ip[16])
{
	char copy[INET6_ADDRSTRLEN];

	if (t.n >= sizeof copy)
		return false;
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] == '\0' || strchr("0123456789abcdefABCDEF:.", t.p[i]) == NULL)
			return false;
	memcpy(copy, t.p, t.n);
	copy[t.n] = '\0';
	return inet_pton(AF_INET6, copy, ip) == 1;
}

/* ---- the arguments of a mechanism ------------------------------------------------------------------ */

static const char *read_nothing(struct spf_text t, bool colon, struct spf_term *out)
{
	(void)out;
	return t.n == 0 && !colon ? NULL : "has an \"all\" with something behind it";
}

static const char *read_domain(struct spf_text t, bool colon, struct spf_term *out)
{
	if (!colon)
		return "has an include or exists without a domain";
	out->domain = t;
	return spf_check_name(t);
}

static const char *read_own_domain(struct spf_text t, bool colon, struct spf_term *out)
{
	if (colon)
		return read_domain(t, colon, out);
	return t.n == 0 ? NULL : "has a ptr with something behind it that is no domain";
}

static const char *read_domain_lengths(struct spf_text t, bool colon, struct spf_term *out)
{
	const char *wrong = take_lengths(&t, out);

	if (wrong != NULL)
		return wrong;
	if (colon)
		return read_domain(t, colon, out);
	return t.n == 0 ? NULL : "has an a or mx with something behind it that is no prefix length";
}

static const char *read_network4(struct spf_text t, bool colon, struct spf_term *out)
{
	bool found;
	const char *wrong = take_length(&t, V4_BITS, &out->bits4, &found);

	if (wrong != NULL)
		return wrong;
	return colon && read_ip4(t, out->ip) ? NULL : "has an ip4 without an IPv4 network";
}

static const char *read_network6(struct spf_text t, bool colon, struct spf_term *out)
{
	bool found;
	const char *wrong = take_length(&t, V6_BITS, &out->bits6, &found);

	if (wrong != NULL)
		return wrong;
	return colon && read_ip6(t, out->ip) ? NULL : "has an ip6 without an IPv6 network";
}

static const struct mechanism {
	const char *name;
	enum spf_kind kind;
	const char *(*read)(struct spf_text t, bool colon, struct spf_term *out);
} mechanisms[] = {
	{ "all", SPF_ALL, read_nothing },
	{ "include", SPF_INCLUDE, read_domain },
	{ "a", SPF_A, read_domain_lengths },
	{ "mx", SPF_MX, read_domain_lengths },
	{ "ptr", SPF_PTR, read_own_domain },
	{ "ip4", SPF_IP4, read_network4 },
	{ "ip6", SPF_IP6, read_network6 },
	{ "exists", SPF_EXISTS, read_domain },
};

static const char *read_mechanism(struct spf_text name, struct spf_text rest, struct spf_term *out)
{
	const bool colon = rest.n > 0 && rest.p[0] == ':';

	if (colon) {
		rest.p++;
		rest.n--;
	}
	for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++)
		if (is_word(name, mechanisms[i].name)) {
			out->kind = mechanisms[i].kind;
			return mechanisms[i].read(rest, colon, out);
		}
	return "has an unknown mechanism";
}

static const char *read_modifier(struct spf_text name, struct spf_text value, struct spf_term *out)
{
	out->domain = value;
	out->kind = is_word(name, "redirect") ? SPF_REDIRECT : is_word(name, "exp") ? SPF_EXP : SPF_UNKNOWN;
	if (out->kind == SPF_UNKNOWN)
		return spf_check_modifier(value);
	return spf_check_name(value);
}

/* ---- terms ----------------------------------------------------------------------------------------- */

static const char *read_term(struct spf_text t, struct spf_term *out)
{
	struct spf_text name = t, rest;
	bool qualified = strchr("+-?~", t.p[0]) != NULL;

	if (t.p[0] == '\0')
		return "holds a byte that it may not";
	if (qualified) {
		out->qualifier = t.p[0];
		name.p++;
	}
	name.n = 0;
	while (name.p + name.n < t.p + t.n && is_name_byte(name.p[name.n]))
		name.n++;
	rest.p = name.p + name.n;
	rest.n = (size_t)(t.p + t.n - rest.p);
	if (name.n == 0 || !is_alpha(name.p[0]))
		return "has a term without a name";
	if (rest.n > 0 && rest.p[0] == '=' && !qualified)
		return read_modifier(name, (struct spf_text){ rest.p + 1, rest.n - 1 }, out);
	return read_mechanism(name, rest, out);
}

const char *spf_record_next(const char **p, const char *end, struct spf_term *out)
{
	memset(out, 0, sizeof *out);
	out->kind = SPF_END;
	out->qualifier = '+';
	out->bits4 = V4_BITS;
	out->bits6 = V6_BITS;
	while (*p < end && **p == ' ')
		(*p)++;
	out->whole.p = *p;
	while (*p < end && **p != ' ')
		(*p)++;
	out->whole.n = (size_t)(*p - out->whole.p);
	return out->whole.n == 0 ? NULL : read_term(out->whole, out);
}

const char *spf_record_check(struct spf_text terms)
{
	const char *p = terms.p, *wrong;
	unsigned redirects = 0, explanations = 0;
	struct spf_term t;

	do {
		wrong = spf_record_next(&p, terms.p + terms.n, &t);
		if (wrong != NULL)
			return wrong;
		redirects += t.kind == SPF_REDIRECT;
		explanations += t.kind == SPF_EXP;
	} while (t.kind != SPF_END);
	if (redirects > 1)
		return "has more than one redirect";
	return explanations > 1 ? "has more than one exp" : NULL;
}
