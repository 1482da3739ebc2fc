/* net/inquiry.h - the names of a connection's ends and its client's ident answer, all asked for at once.
 *
 * Shape   one call that waits; say what to ask, read what was found. A name that is known already and only
 *         needs its confirmation stands in found before.
 * Units   the DNS questions share a deadline, ident has its own.
 * Errors  -1: the system has no poll(2) to give. A question without an answer is no error. */
#ifndef NET_INQUIRY_H
#define NET_INQUIRY_H

#include "net/dns.h"
#include "net/ends.h"
#include "net/ident.h"

struct inquiry {
	bool local_host, remote_host;
	bool confirm; /* is the client's address one of remote_host's? */
	bool ident;
	int dns_timeout_ms, ident_timeout_ms;
};

/* An empty name is none; result says why. */
struct host {
	enum dns_result result;
	char name[DNS_NAME];
};

struct found {
	struct host local_host, remote_host;
	bool confirmed;
	bool has_info;
	char info[IDENT_TEXT];
};

int inquire(const struct inquiry *what, const struct ends *e, struct found *f)
	__attribute__((warn_unused_result));

#endif
