#include "smtpd/params.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "mail/xtext.h"
#include "smtpd/extensions.h"

enum { ENVID_MAX = 100, ORCPT_MAX = 500 /* RFC 3461 section 4 */ };

struct param {
	struct argument keyword;
	struct argument value;
	bool has_value;
};

/* Takes the next parameter off the text. False: nothing is left. */
static bool next(struct argument *rest, struct param *p)
{
	const char *end, *equals;

	while (rest->n > 0 && rest->p[0] == ' ') {
		rest->p++;
		rest->n--;
	}
	if (rest->n == 0)
		return false;
	end = memchr(rest->p, ' ', rest->n);
	if (end == NULL)
		end = rest->p + rest->n;
	equals = memchr(rest->p, '=', (size_t)(end - rest->p));
	p->has_value = equals != NULL;
	p->keyword = (struct argument){ rest->p, (size_t)((equals != NULL ? equals : end) - rest->p) };
	p->value = (struct argument){ end, 0 };
	if (equals != NULL)
		p->value = (struct argument){ equals + 1, (size_t)(end - equals) - 1 };
	rest->n -= (size_t)(end - rest->p);
	rest->p = end;
	return true;
}

static bool is(struct argument a, const char *word)
{
	return a.n == strlen(word) && strncasecmp(a.p, word, a.n) == 0;
}

static bool take_size(struct params *p, struct argument value)
{
	unsigned long n;

	/* RFC 1870 section 3: 20 digits at most. More than we can count is more than we take. */
	if (value.n == 0 || value.n > 20 || num_leading(value.p, value.n, &n) != value.n)
		return false;
	p->size = n;
	return true;
}

static bool take_body(struct params *p, struct argument value)
{
	static const char *const words[] = {
		[PARAMS_7BIT] = "7BIT", [PARAMS_8BITMIME] = "8BITMIME", [PARAMS_BINARYMIME] = "BINARYMIME"
	};

	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		if (is(value, words[i])) {
			p->body = (enum params_body)i;
			return true;
		}
	return false;
}

static bool take_smtputf8(struct params *p, struct argument value)
{
	(void)value;
	p->smtputf8 = true;
	return true;
}

static bool take_requiretls(struct params *p, struct argument value)
{
	(void)value;
	p->requiretls = true;
	return true;
}

static bool take_ret(struct params *p, struct argument value)
{
	p->ret = value;
	return is(value, "FULL") || is(value, "HDRS");
}

static bool take_envid(struct params *p, struct argument value)
{
	p->envid = value;
	return value.n <= ENVID_MAX && xtext_is(value.p, value.n);
}

/* Takes the next word of a list off it. */
static struct argument next_word(struct argument *list)
{
	const char *comma = memchr(list->p, ',', list->n);
	const size_t n = comma != NULL ? (size_t)(comma - list->p) : list->n;
	const struct argument word = { list->p, n };

	list->p += n + (comma != NULL);
	list->n -= n + (comma != NULL);
	return word;
}

static bool take_notify(struct params *p, struct argument value)
{
	static const char *const words[] = { "SUCCESS", "FAILURE", "DELAY" };
	enum { WORDS = sizeof words / sizeof words[0] };
	unsigned seen = 0;

	p->notify = value;
	if (is(value, "NEVER"))
		return true;
	if (value.n == 0 || value.p[value.n - 1] == ',')
		return false;
	while (value.n > 0) {
		const struct argument word = next_word(&value);
		unsigned i = 0;

		while (i < WORDS && !is(word, words[i]))
			i++;
		if (i == WORDS || (seen & (1U << i)) != 0)
			return false;
		seen |= 1U << i;
	}
	return true;
}

/* The address inside is not judged: whoever sent it to us may name a kind that we do not know. */
static bool take_orcpt(struct params *p, struct argument value)
{
	const char *semicolon = memchr(value.p, ';', value.n);

	p->orcpt = value;
	if (semicolon == NULL || semicolon == value.p || value.n > ORCPT_MAX)
		return false;
	for (const char *c = value.p; c < semicolon; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return xtext_is(semicolon + 1, value.n - (size_t)(semicolon - value.p) - 1);
}

/* RFC 4954 section 5: whom the client believes the message to come from. Nothing of ours asks for it yet, so it is
 * checked and let go, as it must be anyhow when the client is not trusted. */
static bool take_auth(struct params *p, struct argument value)
{
	(void)p;
	return xtext_is(value.p, value.n);
}

enum has { HAS_VALUE, HAS_NONE };

struct known {
	const char *keyword;
	unsigned needs;
	enum has has;
	bool (*take)(struct params *p, struct argument value);
};

static const struct known of_mail[] = {
	{ "SIZE", EXT_ALWAYS, HAS_VALUE, take_size },
	{ "BODY", EXT_ALWAYS, HAS_VALUE, take_body },
	{ "AUTH", EXT_ALWAYS, HAS_VALUE, take_auth },
	{ "SMTPUTF8", EXT_SMTPUTF8, HAS_NONE, take_smtputf8 },
	{ "RET", EXT_DSN, HAS_VALUE, take_ret },
	{ "ENVID", EXT_DSN, HAS_VALUE, take_envid },
	{ "REQUIRETLS", EXT_REQUIRETLS, HAS_NONE, take_requiretls },
	{ NULL, 0, HAS_NONE, NULL },
};

static const struct known of_rcpt[] = {
	{ "NOTIFY", EXT_DSN, HAS_VALUE, take_notify },
	{ "ORCPT", EXT_DSN, HAS_VALUE, take_orcpt },
	{ NULL, 0, HAS_NONE, NULL },
};

static enum reply take(
	struct params *p, const struct known *known, unsigned offered, const struct param *one)
{
	for (unsigned i = 0; known[i].keyword != NULL; i++) {
		const unsigned bit = 1U << i;

		if (!is(one->keyword, known[i].keyword) || (known[i].needs & offered) != known[i].needs)
			continue;
		if ((p->seen & bit) != 0 || one->has_value != (known[i].has == HAS_VALUE) ||
			!known[i].take(p, one->value))
			return REPLY_BAD_PARAMETER;
		p->seen |= bit;
		return REPLY_NONE;
	}
	return REPLY_UNKNOWN_PARAMETER;
}

static enum reply take_all(
	struct params *p, const struct known *known, const struct session *s, struct argument a)
{
	const unsigned offered = extensions_now(s);
	struct param one;
	enum reply r = REPLY_NONE;

	*p = (struct params){ .size = 0 };
	while (r == REPLY_NONE && next(&a, &one))
		r = take(p, known, offered, &one);
	if (r == REPLY_NONE && p->body == PARAMS_BINARYMIME && (offered & EXT_BINARYMIME) == 0)
		return REPLY_BAD_PARAMETER;
	return r;
}

enum reply params_mail(struct params *p, const struct session *s, struct argument a)
{
	return take_all(p, of_mail, s, a);
}

enum reply params_rcpt(struct params *p, const struct session *s, struct argument a)
{
	return take_all(p, of_rcpt, s, a);
}
