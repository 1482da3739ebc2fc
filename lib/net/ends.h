/* net/ends.h - the two ends of a TCP connection, and how a program is told about them.
 *
 * Units   ports in host order. ::ffff:a.b.c.d is a.b.c.d, as everywhere (net/addr.h).
 * Errors  -1 with errno: ENOTSOCK, ENOTCONN, EAFNOSUPPORT, ENOMEM.
 * Source  tcp-environ(5). */
#ifndef NET_ENDS_H
#define NET_ENDS_H

#include <stdbool.h>

#include "base/env.h"
#include "net/addr.h"

struct ends {
	struct addr local;
	struct addr remote;
	unsigned local_port;
	unsigned remote_port;
};

/* A connection through a Unix socket has no addresses and no ports. */
bool ends_are_unix(const struct ends *e);

/* peer is what accept(2) told, or NULL: ask the kernel. */
int ends_of(int fd, const struct sockaddr_storage *peer, struct ends *e)
	__attribute__((warn_unused_result));

/* Sets PROTO, TCPLOCAL* and TCPREMOTE*. The three texts may be NULL: the variable is removed. */
int ends_export(const struct ends *e, const char *local_host, const char *remote_host,
	const char *remote_info, struct env *to) __attribute__((warn_unused_result));

#endif
