#include "smtpd/policy.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_ours(const struct settings *set, const char *ip)
{
	struct in_addr in;

	if (inet_pton(AF_INET, ip, &in) != 1)
		return false;
	if (in.s_addr == INADDR_ANY)
		return true;
	for (unsigned i = 0; i < set->ip_count; i++)
		if (set->ips[i] == in.s_addr)
			return true;
	return false;
}

void policy_localip(const struct settings *set, struct address *a)
{
	char ip[INET_ADDRSTRLEN];
	size_t n = a->len - a->at;

	if (!a->literal || set->localip == NULL || n < 3 || n - 3 >= sizeof ip)
		return;
	memcpy(ip, a->text + a->at + 2, n - 3); /* between "@[" and "]" */
	ip[n - 3] = '\0';
	if (!is_ours(set, ip) || !address_set_domain(a, set->localip))
		return; /* it stays a literal, and no list of domains has those */
}

enum reply policy_recipient(struct session *s)
{
	if (s->listing != NULL && s->relay == NULL)
		return s->listing->for_ever ? REPLY_LISTED : REPLY_LISTED_LATER;
	if (policy_listed(&s->set->badmailfrom, &s->sender))
		return REPLY_BADMAILFROM;
	if (policy_listed(&s->set->badrcptto, &s->recipient))
		return REPLY_BADRCPTTO;
	if (s->relay == NULL)
		return policy_rcpthosts(s->set, &s->recipient);
	return address_append(&s->recipient, s->relay) ? REPLY_RECIPIENT_OK : REPLY_BAD_RECIPIENT;
}
