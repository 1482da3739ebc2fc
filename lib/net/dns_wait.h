/* net/dns_wait.h - one question to the DNS, waited for: for programs that have nothing else to do meanwhile.
 *
 * Shape   as dns_records, and back when it has ended. Nobody else may have questions open.
 * Errors  DNS_TEMPORARY, also for want of memory.
 * Source  net/dns.h. */
#ifndef NET_DNS_WAIT_H
#define NET_DNS_WAIT_H

#include "net/dns.h"

enum dns_result dns_wait(struct dns *d, enum dns_type type, const char *name, int64_t deadline_ms,
	dns_each *each, void *arg);

/* The questions that are open go on, until something comes or the next deadline is there. */
void dns_wait_turn(struct dns *d);

#endif
