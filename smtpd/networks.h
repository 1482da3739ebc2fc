/* networks.h - a list of networks that an address may be in.
 *
 * Shape   "192.0.2.0/24", "2001:db8::/32", or an address alone.
 * Errors  NULL is success; else a fixed sentence that fits behind the offending text.
 * Source  private and local ones: RFC 1918, RFC 6598, RFC 1122, RFC 3927, RFC 4193, RFC 4291. */
#ifndef SMTPD_NETWORKS_H
#define SMTPD_NETWORKS_H

#include "net/addr.h"

enum { NETWORKS_MAX = 512 };

struct networks {
	struct {
		struct addr base;
		unsigned bits; /* of all 16 bytes */
	} list[NETWORKS_MAX];
	size_t count;
};

const char *networks_add(struct networks *n, const char *text) __attribute__((warn_unused_result));
bool networks_have(const struct networks *n, const struct addr *a);

/* Nobody out there has such an address. */
bool networks_is_private(const struct addr *a);

#endif
