#include "smtpd/params.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"

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

static enum reply take_size(struct params *p, struct argument value)
{
	unsigned long n;

	/* RFC 1870 section 3: 20 digits at most. More than we can count is more than we take. */
	if (p->has_size || value.n == 0 || value.n > 20)
		return REPLY_BAD_PARAMETER;
	if (num_leading(value.p, value.n, &n) != value.n)
		return REPLY_BAD_PARAMETER;
	p->has_size = true;
	p->size = n;
	return REPLY_NONE;
}

static enum reply take_body(struct params *p, struct argument value)
{
	if (p->has_body || !(is(value, "7BIT") || is(value, "8BITMIME")))
		return REPLY_BAD_PARAMETER;
	p->has_body = true;
	return REPLY_NONE;
}

static const struct {
	const char *keyword;
	enum reply (*take)(struct params *p, struct argument value);
} known[] = {
	{ "SIZE", take_size },
	{ "BODY", take_body },
};

static enum reply take(struct params *p, const struct param *one)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (is(one->keyword, known[i].keyword))
			return one->has_value ? known[i].take(p, one->value) : REPLY_BAD_PARAMETER;
	return REPLY_UNKNOWN_PARAMETER;
}

enum reply params_mail(struct params *p, struct argument a)
{
	struct param one;
	enum reply r = REPLY_NONE;

	*p = (struct params){ .size = 0 };
	while (r == REPLY_NONE && next(&a, &one))
		r = take(p, &one);
	return r;
}

enum reply params_rcpt(struct argument a)
{
	struct param one;

	return next(&a, &one) ? REPLY_UNKNOWN_PARAMETER : REPLY_NONE;
}
