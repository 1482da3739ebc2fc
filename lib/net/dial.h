/* net/dial.h - from a host's text to its addresses, and from an address to a connection.
 *
 * Shape   a list of addresses in the order in which to try them. The text is an address (net/addr.h), "" or
 *         "0" for this machine, or a name: asked for at $DNSCACHEIP when that is set, a full name then, else
 *         as all of this system ask (/etc/hosts, resolv.conf and its search list).
 * Order   that of the answer, IPv6 first, but what this machine has no route to comes last (RFC 6724
 *         section 6, rules 1 and 6 in short).
 * Units   ports in host order, timeouts in ms.
 * Errors  dial_host: an enum. dial: a close-on-exec, blocking descriptor, or -1 with errno; ETIMEDOUT is our
 *         timeout or the kernel's; and *step, the words that name what failed.
 * Source  tcpclient(1) of ucspi-tcp. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"

enum { DIAL_ADDRESSES = 64 };

struct dial_list {
	struct addr addr[DIAL_ADDRESSES];
	size_t count;
};

enum dial_host { DIAL_HOST_OK, DIAL_HOST_NONE, DIAL_HOST_TEMPORARY };

enum dial_host dial_host(const char *text, int timeout_ms, struct dial_list *out)
	__attribute__((warn_unused_result));

/* The near end: NULL and 0 leave it to the kernel. *step: "create socket", "bind socket" or "connect". */
int dial(const struct addr *to, unsigned port, const struct addr *from, unsigned from_port, int timeout_ms,
	const char **step) __attribute__((warn_unused_result));

/* A connect(2) that said EINPROGRESS: 0 when it is there, -1 with errno. */
int dial_finish(int fd, int timeout_ms) __attribute__((warn_unused_result));

#endif
