/* net/dns.h - names of addresses, addresses and texts of names: many questions at once.
 *
 * Shape   ask, then poll the descriptors of dns_poll and call dns_step; each question ends with one call
 *         of its done, never from within the asking call. Nothing here blocks.
 * Names   lower case, bytes 0x21 to 0x7e only, without a last dot: a name with any other byte is none.
 *         What is asked for is a full name: no search list and no hosts file adds to it.
 * Texts   all strings of all TXT records in the order of the answer, one behind the other (dns_txt of
 *         ucspi-tcp), cut at DNS_TEXT - 1 bytes; '?' stands for each byte outside 0x20 to 0x7e. May be empty.
 * Units   deadline_ms is a point on CLOCK_MONOTONIC; a question that is still open then has ended with
 *         DNS_TEMPORARY.
 * Errors  dns_open: NULL with errno. Asking: -1 with ENOMEM, and done is not called.
 * Source  RFC 1035; servers from $DNSCACHEIP (addresses, each with :PORT if need be, between blanks or
 *         commas: tcpserver(1) of ucspi-tcp), else resolv.conf(5). */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"

enum { DNS_NAME = 256, DNS_TEXT = 512, DNS_ADDRESSES = 64, DNS_POLL = 16 };

enum dns_result { DNS_FOUND, DNS_NONE, DNS_TEMPORARY };

struct dns;

/* name is NULL unless a name or a text was asked for and found; it is gone when done returns. */
typedef void dns_done(void *arg, enum dns_result result, const char *name);
/* count is 0 unless DNS_FOUND; the first DNS_ADDRESSES of them, in the order of the answer. */
typedef void dns_addresses(void *arg, enum dns_result result, const struct addr *list, size_t count);

struct dns *dns_open(void) __attribute__((warn_unused_result));
void dns_close(struct dns *d); /* open questions end without a word */

int dns_ptr(struct dns *d, const struct addr *a, int64_t deadline_ms, dns_done *done, void *arg)
	__attribute__((warn_unused_result));
/* DNS_FOUND when a is among the addresses of name. */
int dns_confirm(struct dns *d, const char *name, const struct addr *a, int64_t deadline_ms, dns_done *done,
	void *arg) __attribute__((warn_unused_result));
int dns_txt(struct dns *d, const char *name, int64_t deadline_ms, dns_done *done, void *arg)
	__attribute__((warn_unused_result));
/* The IPv4 addresses of name, and its IPv6 addresses. */
int dns_a(struct dns *d, const char *name, int64_t deadline_ms, dns_addresses *done, void *arg)
	__attribute__((warn_unused_result));
int dns_aaaa(struct dns *d, const char *name, int64_t deadline_ms, dns_addresses *done, void *arg)
	__attribute__((warn_unused_result));

size_t dns_poll(struct dns *d, struct pollfd fds[DNS_POLL]);
int64_t dns_deadline(struct dns *d); /* when dns_step has work even if no descriptor is ready */
void dns_step(struct dns *d, const struct pollfd *fds, size_t count);

#endif
