/* net/proxy.h - the PROXY header with which a proxy tells whose connection it passes on.
 *
 * Shape   proxy_parse is a pure function: call it with all bytes so far until it is not PROXY_MORE; what
 *         it has decided, more bytes do not change. Version 1 is a line, version 2 is binary; both give
 *         the same struct.
 *         proxy_read does so on a socket whose bytes it only looks at, and then takes exactly the header:
 *         what the client sent behind it stays for the program.
 * Units   at most PROXY_LINE bytes for version 1, PROXY_MAX for version 2 (the format could say 65551:
 *         TLS client names fit, a flood does not).
 * Strict  version 1: one blank between words, decimal ports without leading zeros, addresses of the family
 *         that is named. Version 2: everything behind the addresses of a TCP connection must be well-formed
 *         TLVs, and a CRC32C among them must be right; no other TLV means anything here.
 * Errors  PROXY_BAD with a fixed sentence in fault. A socket's error and its end inside a header are BAD;
 *         its end before it is certain to be one is PROXY_NONE.
 * Source  "The PROXY protocol, versions 1 & 2" of HAProxy, sections 2.1 and 2.2. */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "net/ends.h"

enum { PROXY_LINE = 107, PROXY_MAX = 4096 };

enum proxy {
	PROXY_MORE, /* it may become a header */
	PROXY_DONE, /* it is one, of len bytes */
	PROXY_BAD,  /* it began like one */
	PROXY_NONE  /* these bytes begin no header */
};

struct proxy_header {
	size_t len;        /* DONE: bytes */
	bool own;          /* DONE: the connection's own ends stay (LOCAL, UNKNOWN, nothing that is TCP) */
	struct ends ends;  /* DONE and not own: remote is the true client, local where it connected to */
	const char *fault; /* BAD: what is wrong with it */
};

enum proxy proxy_parse(const unsigned char *p, size_t n, struct proxy_header *h)
	__attribute__((warn_unused_result));

/* On a connected stream socket, blocking or not: never waits. After PROXY_MORE the socket becomes readable
 * when there is more than it has seen (SO_RCVLOWAT), so a poll loop does not spin; every other answer leaves
 * it as it was. Whoever does not wait until then calls proxy_stop before he hands the socket on. */
enum proxy proxy_read(int fd, struct proxy_header *h) __attribute__((warn_unused_result));
void proxy_stop(int fd);

#endif
