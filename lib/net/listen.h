/* net/listen.h - the operands HOST and PORT, and a TCP socket that listens there.
 *
 * Shape   HOST: "0" or "" is every IPv4 address, "::" every IPv6 address and no IPv4 one; dotted decimal,
 *         [1.2.3.4], IPv6 text, else a name (getaddrinfo(3): IPv4 first, as ucspi-tcp knew no other).
 *         An IPv4 address makes an AF_INET socket, never a mapped one.
 * Units   port in host order; 0 lets the kernel choose.
 * Errors  listen_host: an enum; listen_open: a close-on-exec, non-blocking descriptor, or -1 with errno and
 *         *step, the words that name what failed ("bind").
 * Source  tcpserver(1); ipv6(7), IPV6_V6ONLY; unix(7). */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "net/addr.h"

enum listen_host { LISTEN_HOST_OK, LISTEN_HOST_NONE, LISTEN_HOST_TEMPORARY };

enum listen_host listen_host(const char *text, struct addr *out) __attribute__((warn_unused_result));

/* A number (0 to 65535) or a service of services(5). NULL, or a sentence; *unknown is then true for a
 * name that nobody knows and false for a number that is no port. */
const char *listen_port(const char *text, unsigned *port, bool *unknown)
	__attribute__((warn_unused_result));

/* An address that this machine does not have yet is bound all the same and listens as soon as it is there:
 * *early is true then (ip(7), IP_FREEBIND). */
int listen_open(const struct addr *a, unsigned port, int backlog, bool *early, const char **step)
	__attribute__((warn_unused_result));

/* A Unix socket at path, where a socket that nobody listens on any more is taken away first. */
int listen_unix(const char *path, int backlog, const char **step) __attribute__((warn_unused_result));

#endif
