/* greet.c - HELO and EHLO: who the client says it is, and what we can do for it. */
#include <string.h>

#include "smtpd/command.h"
#include "smtpd/extensions.h"
#include "smtpd/policy_ask.h"

/* Both end a transaction: RFC 5321 section 4.1.4. A longer name is cut: it is only for people to read. */
static enum reply greet(struct session *s, struct argument a, bool esmtp)
{
	size_t n = a.n < SESSION_HELO ? a.n : SESSION_HELO;

	transaction_reset(s);
	memcpy(s->helo, a.p, n);
	s->helo[n] = '\0';
	s->esmtp = esmtp;
	return policy_ask_helo(s);
}

enum reply greet_helo(struct session *s, struct argument a)
{
	const enum reply r = greet(s, a, false);

	return r == REPLY_NONE ? REPLY_HELO : r;
}

enum reply greet_ehlo(struct session *s, struct argument a)
{
	const enum reply r = greet(s, a, true);

	if (r != REPLY_NONE)
		return r;
	reply_put_line(s, '-', s->set->greeting);
	extensions_put(s);
	return REPLY_NONE;
}
