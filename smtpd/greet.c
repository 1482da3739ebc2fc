/* greet.c - HELO and EHLO: who the client says it is, and what we can do for it. */
#include <string.h>

#include "base/str.h"
#include "smtpd/command.h"

/* Both end a transaction: RFC 5321 section 4.1.4. A longer name is cut: it is only for people to read. */
static void greet(struct session *s, struct argument a, bool esmtp)
{
	size_t n = a.n < SESSION_HELO ? a.n : SESSION_HELO;

	(void)transaction_rset(s, a);
	memcpy(s->helo, a.p, n);
	s->helo[n] = '\0';
	s->esmtp = esmtp;
}

enum reply greet_helo(struct session *s, struct argument a)
{
	greet(s, a, false);
	return REPLY_HELO;
}

/* RFC 1870 section 4: the number is the fixed maximum, 0 says that there is none. */
static void put_size(struct session *s)
{
	char memory[32];
	struct str line;

	str_init(&line, memory, sizeof memory);
	str_puts(&line, "SIZE ");
	str_putu(&line, s->set->size_max);
	reply_put_line(s, '-', line.s);
}

enum reply greet_ehlo(struct session *s, struct argument a)
{
	greet(s, a, true);
	reply_put_line(s, '-', s->set->greeting);
	reply_put_line(s, '-', "PIPELINING");
	put_size(s);
	reply_put_line(s, '-', "8BITMIME");
	reply_put_line(s, ' ', "ENHANCEDSTATUSCODES");
	return REPLY_NONE;
}
