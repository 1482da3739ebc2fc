/* spf_dns.h - the look-ups of mail/spf.h, asked of the DNS until a deadline: then all of them fail. */
#ifndef SMTPD_SPF_DNS_H
#define SMTPD_SPF_DNS_H

#include "mail/spf.h"
#include "net/dns.h"

struct spf_asker {
	struct dns *dns;
	int64_t deadline_ms;
};

/* Uses *a as long as it is used. */
struct spf_dns spf_dns_of(struct spf_asker *a);

#endif
