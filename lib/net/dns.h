/* net/dns.h - names of addresses, addresses, texts and records of names: many questions at once.
 *
 * Shape   ask, then poll the descriptors of dns_poll and call dns_step; each question ends with one call
 *         of its done, never from within the asking call. Nothing here blocks.
 * Names   lower case, bytes 0x21 to 0x7e only, without a last dot: a name with any other byte is none.
 *         What is asked for is a full name: no search list and no hosts file adds to it.
 * Texts   all strings of all TXT records in the order of the answer, one behind the other (dns_txt of
 *         ucspi-tcp), cut at DNS_TEXT - 1 bytes; '?' stands for each byte outside 0x20 to 0x7e. May be empty.
 * Records one call of each for every record of the type asked for, in the order of the answer, then end, all
 *         within dns_step. Names in them as above; one that is none has n 0 (also the "." of RFC 7505).
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

/* DNS_NO_NAME is of dns_records only: nothing by that name, of no type (RFC 2308). Elsewhere that is DNS_NONE. */
enum dns_result { DNS_FOUND, DNS_NONE, DNS_TEMPORARY, DNS_NO_NAME };
enum dns_type { DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TXT };

/* data: 4 bytes of an A, 16 of an AAAA, the name of an MX and a PTR, all strings of a TXT joined, byte for byte.
 * It is gone when each returns. */
struct dns_record {
	const void *data;
	size_t n;
	unsigned preference; /* of an MX */
};

struct dns;

/* name is NULL unless a name or a text was asked for and found; it is gone when done returns. */
typedef void dns_done(void *arg, enum dns_result result, const char *name);
/* count is 0 unless DNS_FOUND; the first DNS_ADDRESSES of them, in the order of the answer. */
typedef void dns_addresses(void *arg, enum dns_result result, const struct addr *list, size_t count);

typedef void dns_each(void *arg, const struct dns_record *record);
typedef void dns_end(void *arg, enum dns_result result);

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

/* name may hold any byte; only dots part its labels. */
int dns_records(struct dns *d, enum dns_type type, const char *name, int64_t deadline_ms, dns_each *each,
	dns_end *end, void *arg) __attribute__((warn_unused_result));

size_t dns_poll(struct dns *d, struct pollfd fds[DNS_POLL]);
int64_t dns_deadline(struct dns *d); /* when dns_step has work even if no descriptor is ready */
void dns_step(struct dns *d, const struct pollfd *fds, size_t count);

#endif
