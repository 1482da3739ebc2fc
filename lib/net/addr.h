/* net/addr.h - one address type for IPv4 and IPv6.
 *
 * Shape   16 bytes in network order; IPv4 is ::ffff:a.b.c.d, so an address has one form only, however
 *         it arrived. A scope (fe80::1%eth0) is no part of it.
 * Units   ports are in host order.
 * Errors  a parser returns NULL or a sentence that fits behind the offending text.
 * Source  RFC 4291 section 2.2 and 2.5.5.2; RFC 5952 for output, which is ours and not a libc's, because
 *         keys of compiled rules are made of it; tcprules(1): dotted decimal takes
 *         leading zeros and stays decimal; [1.2.3.4] as in ip4_scanbracket of ucspi-tcp. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDR_TEXT = 46 }; /* the longest text with its NUL */

struct addr {
	unsigned char byte[16];
};

const char *addr_parse(const char *text, struct addr *out) __attribute__((warn_unused_result));
/* Returns the length. */
size_t addr_format(const struct addr *a, char text[ADDR_TEXT]);

bool addr_is_v4(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);

/* Of a network that an address is in, the length in bits of all 16 bytes, 0 to 128: 10.0.0.0/8 has
 * ADDR_V4_BITS + 8. Masking clears what is behind it. */
enum { ADDR_V4_BITS = 96, ADDR_BITS = 128 };
void addr_mask(struct addr *a, unsigned bits);
bool addr_prefix_equal(const struct addr *a, const struct addr *b, unsigned bits);

/* -1 with EAFNOSUPPORT for anything but AF_INET and AF_INET6. */
int addr_from_sockaddr(const struct sockaddr_storage *from, struct addr *out, unsigned *port)
	__attribute__((warn_unused_result));
/* AF_INET for IPv4, else AF_INET6. Returns the length for bind(2) and connect(2). */
socklen_t addr_to_sockaddr(const struct addr *a, unsigned port, struct sockaddr_storage *to);

/* "4.3.2.1.in-addr.arpa" or the 32 nibbles under ip6.arpa: RFC 1035 section 3.5, RFC 3596 section 2.5. */
enum { ADDR_ARPA = 74 };
void addr_arpa(const struct addr *a, char name[ADDR_ARPA]);

#endif
