/* xclient.c - XCLIENT: a proxy that a rule trusts (XCLIENT="1") says who its client is.
 *
 * The session begins anew, with the client's address. What a rule gave to the proxy's, the leave to relay
 * above all, does not pass to its clients, nor does what was known against it; a LOGIN that it vouches for may relay.
 *
 * Source  Postfix's XCLIENT_README; xtext is RFC 3461's. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "base/str.h"
#include "mail/xtext.h"
#include "smtpd/command.h"
#include "smtpd/extensions.h"
#include "smtpd/policy_ask.h"

enum { VALUE_MAX = 255 };

/* False: not xtext, not printable, or too long. */
static bool decode(struct argument a, struct str *to)
{
	if (!xtext_decode(a.p, a.n, to) || to->full)
		return false;
	for (size_t i = 0; i < to->len; i++)
		if (to->s[i] <= ' ' || to->s[i] > '~')
			return false;
	return true;
}

static bool is_missing(const char *value)
{
	return strcasecmp(value, "[UNAVAILABLE]") == 0 || strcasecmp(value, "[TEMPUNAVAIL]") == 0;
}

/* Keeps the value as long as the session lives. NULL: there is no room. */
static const char *keep(struct session *s, const char *value)
{
	const size_t n = strlen(value) + 1;
	char *to = s->xclient_text + s->xclient_used;

	if (n > sizeof s->xclient_text - s->xclient_used)
		return NULL;
	memcpy(to, value, n);
	s->xclient_used += n;
	return to;
}

static bool set(struct session *s, enum ucspi_var which, const char *value)
{
	s->ucspi[which] = value != NULL ? keep(s, value) : NULL;
	return value == NULL || s->ucspi[which] != NULL;
}

/* NULL: not known. False: not an address. */
static bool set_address(struct session *s, enum ucspi_var which, const char *value)
{
	static const char tag[] = "IPV6:";
	unsigned char binary[16];

	if (value == NULL)
		return set(s, which, NULL);
	if (strncasecmp(value, tag, strlen(tag)) == 0)
		value += strlen(tag);
	if (inet_pton(strchr(value, ':') != NULL ? AF_INET6 : AF_INET, value, binary) != 1)
		return false;
	return set(s, which, value);
}

static bool set_port(struct session *s, enum ucspi_var which, const char *value)
{
	unsigned long port;

	return (value == NULL || num_parse(value, 0, 65535, &port) == NULL) && set(s, which, value);
}

static bool take_addr(struct session *s, const char *value)
{
	s->ucspi[UCSPI_REMOTEINFO] = NULL;
	s->relay = NULL;
	s->listing = NULL;
	return set_address(s, UCSPI_REMOTEIP, value);
}

static bool take_name(struct session *s, const char *value)
{
	return set(s, UCSPI_REMOTEHOST, value);
}

static bool take_port(struct session *s, const char *value)
{
	return set_port(s, UCSPI_REMOTEPORT, value);
}

static bool take_destaddr(struct session *s, const char *value)
{
	return set_address(s, UCSPI_LOCALIP, value);
}

static bool take_destport(struct session *s, const char *value)
{
	return set_port(s, UCSPI_LOCALPORT, value);
}

/* The client will say it again itself: it is greeted anew. */
static bool take_proto(struct session *s, const char *value)
{
	(void)s;
	return value != NULL && (strcasecmp(value, "SMTP") == 0 || strcasecmp(value, "ESMTP") == 0);
}

static bool take_helo(struct session *s, const char *value)
{
	struct str helo;

	str_init(&helo, s->helo, sizeof s->helo);
	str_puts(&helo, value != NULL ? value : "");
	return true;
}

static bool take_login(struct session *s, const char *value)
{
	s->user = value != NULL ? keep(s, value) : NULL;
	return value == NULL || s->user != NULL;
}

static const struct {
	const char *name;
	bool (*take)(struct session *s, const char *value); /* NULL: the proxy does not know */
} attributes[] = {
	{ "ADDR", take_addr },
	{ "NAME", take_name },
	{ "PORT", take_port },
	{ "PROTO", take_proto },
	{ "HELO", take_helo },
	{ "LOGIN", take_login },
	{ "DESTADDR", take_destaddr },
	{ "DESTPORT", take_destport },
};

static bool take(struct session *s, const char *p, size_t n)
{
	const char *equals = memchr(p, '=', n);
	const size_t name = equals != NULL ? (size_t)(equals - p) : 0;
	char memory[VALUE_MAX + 1];
	struct str value;

	str_init(&value, memory, sizeof memory);
	if (equals == NULL || !decode((struct argument){ equals + 1, n - name - 1 }, &value))
		return false;
	for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
		if (strlen(attributes[i].name) == name && strncasecmp(attributes[i].name, p, name) == 0)
			return attributes[i].take(s, is_missing(value.s) ? NULL : value.s);
	return false;
}

static bool take_all(struct session *s, struct argument a)
{
	while (a.n > 0) {
		const char *blank = memchr(a.p, ' ', a.n);
		const size_t n = blank != NULL ? (size_t)(blank - a.p) : a.n;

		if (n > 0 && !take(s, a.p, n))
			return false;
		a.p += n + (blank != NULL);
		a.n -= n + (blank != NULL);
	}
	return true;
}

enum reply xclient(struct session *s, struct argument a)
{
	if ((extensions_now(s) & EXT_XCLIENT) == 0)
		return REPLY_NOT_ALLOWED;
	transaction_reset(s);
	s->helo[0] = '\0';
	s->esmtp = false;
	auth_forget(s);
	if (!take_all(s, a)) {
		s->over = true; /* half of it has been taken: nobody knows whose session this is */
		return REPLY_BAD_PARAMETER;
	}
	if (s->user != NULL)
		auth_grant(s);
	return policy_ask_connect(s);
}
