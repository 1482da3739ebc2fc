/* net/tls_wire.h - what tcpserver says to the helper of TLS, what a program says to it, and what it says back.
 *
 * Shape   an order is one packet (net/pass.h) with three descriptors: the connection, the helper's end of the
 *         program's control, and its end of the program's plain text. A program starts TLS by one byte on
 *         its control; then it hears variables, "NAME=value\0" ... "\0", or nothing.
 *         A descriptor has the same number in every program: the variables that say so are fixed text.
 * Units   an order has TLS_ORDER bytes.
 * Errors  a parser gives NULL, or a fixed sentence.
 * Source  UCSPI-TLS (ucspi-ssl's ucspi-tls(2)); tls(8). */
#ifndef NET_TLS_WIRE_H
#define NET_TLS_WIRE_H

#include <stdint.h>
#include <sys/types.h>

#include "net/pass.h"

enum tls_mode { TLS_START = 'S', TLS_WRAP = 'W' };
enum tls_word { TLS_WORD_VARIABLES = 'Y', TLS_WORD_QUIET = 'y' };

/* In the program: 3 is portero-resident(7)'s. */
enum { TLS_CONTROL_FD = 4, TLS_READ_FD = 5, TLS_WRITE_FD = 6 };

#define TLS_CONTROL_ENV "SSLCTLFD"
#define TLS_READ_ENV "SSLREADFD"
#define TLS_WRITE_ENV "SSLWRITEFD"

/* The helper's own end of the pair, and its first packet: certificates are read, sessions may come. */
enum { TLS_HELPER_FD = 3, TLS_READY = 'R', TLS_ORDER = 5 };

enum { TLS_CONNECTION, TLS_CONTROL, TLS_PLAIN, TLS_DESCRIPTORS };

struct tls_order {
	enum tls_mode mode;
	pid_t program; /* for the log */
};

void tls_order_write(const struct tls_order *o, char packet[TLS_ORDER]);
const char *tls_order_read(const char *packet, size_t n, size_t descriptors, struct tls_order *o)
	__attribute__((warn_unused_result));

/* The names that a client offers by ALPN, as they stand in its hello (RFC 7301 section 3.1), against a list
 * "smtp,other". The length of the first of the list that is offered, 0: none; *at: where its name begins. */
size_t tls_alpn_choose(const unsigned char *offered, size_t n, const char *list, size_t *at)
	__attribute__((warn_unused_result));

#endif
