/* policy_relay.c - the domains that we take mail for: rcpthosts, then morercpthosts.cdb. */
#include <cdb.h>
#include <string.h>

#include "smtpd/policy.h"

enum listed { LISTED_NO, LISTED_YES, LISTED_UNKNOWN };

/* cdb_seek reads the file as it is now; it never trusts a mapping, and a cut file is an error. */
static enum listed in_cdb(int fd, const char *key)
{
	unsigned len;
	int found = fd == -1 ? 0 : cdb_seek(fd, key, (unsigned)strlen(key), &len);

	if (found < 0)
		return LISTED_UNKNOWN;
	return found > 0 ? LISTED_YES : LISTED_NO;
}

static void lower(char *to, const char *from)
{
	for (; *from != '\0'; from++)
		*to++ = (char)(*from >= 'A' && *from <= 'Z' ? *from - 'A' + 'a' : *from);
	*to = '\0';
}

/* The domain whole, then each ".suffix": ".heaven.example" stands for the hosts below, not itself. */
static const char *next_suffix(const char *key)
{
	return strchr(key + 1, '.');
}

enum reply policy_rcpthosts(const struct settings *set, const struct address *a)
{
	char domain[ADDRESS_MAX + 1];

	if (!set->has_rcpthosts)
		return REPLY_RCPTHOSTS; /* qmail would relay for the world */
	if (a->at == a->len)
		return REPLY_RECIPIENT_OK; /* no domain: it is one of ours */
	lower(domain, address_domain(a));
	for (const char *key = domain; key != NULL; key = next_suffix(key))
		if (control_has(&set->rcpthosts, key))
			return REPLY_RECIPIENT_OK;
	for (const char *key = domain; key != NULL; key = next_suffix(key))
		switch (in_cdb(set->morercpthosts, key)) {
		case LISTED_YES:
			return REPLY_RECIPIENT_OK;
		case LISTED_UNKNOWN:
			return REPLY_RCPTHOSTS_UNREADABLE;
		case LISTED_NO:
			break;
		}
	return REPLY_RCPTHOSTS;
}
