#include "mail/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

/* What is left to read. */
struct text {
	const char *p;
	const char *end;
};

static bool at_byte(const struct text *t, char c)
{
	return t->p < t->end && *t->p == c;
}

static bool take(struct text *t, char c)
{
	if (!at_byte(t, c))
		return false;
	t->p++;
	return true;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Part of a character of RFC 6531; whether the characters are whole is asked at the end. */
static bool is_8bit(char c)
{
	return (unsigned char)c >= 0x80;
}

/* RFC 5321 Atext, and the dot: where dots may stand in a Dot-string is not enforced. */
static bool is_local(char c)
{
	return is_alnum(c) || is_8bit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool is_domain(char c)
{
	return is_alnum(c) || is_8bit(c) || c == '-' || c == '_' || c == '.';
}

static const char *put(struct address *a, char c)
{
	if (a->len == ADDRESS_MAX)
		return "address is too long";
	a->text[a->len++] = c;
	return NULL;
}

static const char *parse_quoted(struct address *a, struct text *t)
{
	const char *wrong = NULL;

	while (wrong == NULL && t->p < t->end) {
		char c = *t->p++;

		if (c == '"')
			return NULL;
		if (c == '\\') {
			if (t->p == t->end)
				break;
			c = *t->p++;
		}
		if ((c >= 0 && c < ' ') || c == 0x7f)
			return "quoted local part holds a control byte";
		wrong = put(a, c);
	}
	return wrong != NULL ? wrong : "quote is not closed";
}

static const char *parse_local(struct address *a, struct text *t)
{
	const char *wrong = NULL;

	if (take(t, '"'))
		wrong = parse_quoted(a, t);
	else
		while (wrong == NULL && t->p < t->end && is_local(*t->p))
			wrong = put(a, *t->p++);
	if (wrong == NULL && a->len == 0)
		wrong = "local part is empty";
	return wrong;
}

/* One name of letters, digits, '-', '_' and single dots; p and n are what was read. */
static const char *parse_name(struct text *t, const char **name, size_t *n)
{
	const char *start = t->p;

	while (t->p < t->end && is_domain(*t->p)) {
		if (*t->p == '.' && (t->p == start || t->p[-1] == '.'))
			return "domain has an empty label";
		t->p++;
	}
	*name = start;
	*n = (size_t)(t->p - start);
	if (*n == 0)
		return "domain is empty";
	if (t->p[-1] == '.')
		return "domain ends in a dot";
	if (*n > ADDRESS_DOMAIN_MAX)
		return "domain is too long";
	return NULL;
}

static bool is_literal(const char *p, size_t n)
{
	static const char tag[] = "IPv6:";
	char copy[INET6_ADDRSTRLEN + sizeof tag];
	unsigned char binary[16];

	if (n >= sizeof copy)
		return false;
	memcpy(copy, p, n);
	copy[n] = '\0';
	if (strlen(copy) != n)
		return false;
	if (strncasecmp(copy, tag, strlen(tag)) == 0)
		return inet_pton(AF_INET6, copy + strlen(tag), binary) == 1;
	return inet_pton(AF_INET, copy, binary) == 1;
}

static const char *parse_domain(struct address *a, struct text *t)
{
	const char *wrong = NULL, *name = t->p;
	size_t n = 0;

	if (take(t, '[')) {
		const char *close = memchr(t->p, ']', (size_t)(t->end - t->p));

		if (close == NULL || !is_literal(t->p, (size_t)(close - t->p)))
			return "address literal is neither [IPv4] nor [IPv6:...]";
		t->p = close + 1;
		n = (size_t)(t->p - name);
		a->literal = true;
	} else {
		wrong = parse_name(t, &name, &n);
	}
	for (size_t i = 0; wrong == NULL && i < n; i++)
		wrong = put(a, name[i]);
	return wrong;
}

/* "@a.example,@b.example:" is history (RFC 5321 appendix C): read, and dropped. */
static const char *skip_route(struct text *t)
{
	const char *name, *wrong;
	size_t n;

	if (!at_byte(t, '@'))
		return NULL;
	do {
		if (!take(t, '@'))
			return "source route lacks an @";
		wrong = parse_name(t, &name, &n);
		if (wrong != NULL)
			return wrong;
	} while (take(t, ','));
	return take(t, ':') ? NULL : "source route lacks its colon";
}

static const char *parse_mailbox(struct address *a, struct text *t)
{
	const char *wrong = skip_route(t);

	if (wrong == NULL)
		wrong = parse_local(a, t);
	if (wrong != NULL)
		return wrong;
	a->at = a->len;
	if (!at_byte(t, '@'))
		return NULL;
	wrong = put(a, *t->p++);
	return wrong != NULL ? wrong : parse_domain(a, t);
}

static bool has_8bit(const struct address *a)
{
	for (size_t i = 0; i < a->len; i++)
		if (is_8bit(a->text[i]))
			return true;
	return false;
}

const char *address_parse_path(struct address *a, const char *p, size_t n, size_t *used)
{
	struct text t = { p, p + n };
	const char *wrong = NULL;

	a->len = 0;
	a->at = 0;
	a->literal = false;
	a->utf8 = false;
	a->text[0] = '\0';
	if (!take(&t, '<'))
		return "path lacks its <";
	if (!at_byte(&t, '>'))
		wrong = parse_mailbox(a, &t);
	if (wrong != NULL)
		return wrong;
	a->text[a->len] = '\0';
	if (!take(&t, '>'))
		return "address holds a byte that it may not, or lacks its >";
	a->utf8 = has_8bit(a);
	if (a->utf8 && !utf8_is(a->text, a->len))
		return "address is not UTF-8";
	*used = (size_t)(t.p - p);
	return NULL;
}

const char *address_domain(const struct address *a)
{
	return a->at < a->len ? a->text + a->at + 1 : "";
}

bool address_append(struct address *a, const char *suffix)
{
	size_t n = strlen(suffix);
	const char *last;

	if (n > ADDRESS_MAX - a->len)
		return false;
	if (n == 0)
		return true;
	memcpy(a->text + a->len, suffix, n + 1);
	a->len += n;
	last = strrchr(a->text, '@');
	a->at = last == NULL ? a->len : (size_t)(last - a->text);
	a->literal = address_domain(a)[0] == '[';
	return true;
}

bool address_set_domain(struct address *a, const char *domain)
{
	size_t n = strlen(domain);

	if (a->at == a->len || n > ADDRESS_MAX - a->at - 1)
		return false;
	memcpy(a->text + a->at + 1, domain, n + 1);
	a->len = a->at + 1 + n;
	a->literal = domain[0] == '[';
	return true;
}

/* ---- as it is sent ------------------------------------------------------------------------------------- */

static bool has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((*text > 0 && *text < ' ') || *text == 0x7f)
			return true;
	return false;
}

/* RFC 5321 Dot-string: dots stand alone, and not at an end. */
static bool is_dot_string(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_local(p[i]))
			return false;
		if (p[i] == '.' && (i == 0 || i + 1 == n || p[i - 1] == '.'))
			return false;
	}
	return n > 0;
}

static void put_local(struct str *to, const char *p, size_t n)
{
	if (is_dot_string(p, n)) {
		str_put(to, p, n);
		return;
	}
	str_putc(to, '"');
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"' || p[i] == '\\')
			str_putc(to, '\\');
		str_putc(to, p[i]);
	}
	str_putc(to, '"');
}

bool address_put_path(struct str *to, const char *text, bool *utf8)
{
	const char *at = strrchr(text, '@');
	const size_t n = strlen(text), local = at == NULL ? n : (size_t)(at - text);

	*utf8 = false;
	for (size_t i = 0; i < n; i++)
		*utf8 |= is_8bit(text[i]);
	if (has_control(text) || (*utf8 && !utf8_is(text, n)))
		return false;
	if (at != NULL && (at[1] == '\0' || strpbrk(at, " <>()\\\",;") != NULL))
		return false;
	if (n > 0)
		put_local(to, text, local);
	str_put(to, text + local, n - local);
	return true;
}
