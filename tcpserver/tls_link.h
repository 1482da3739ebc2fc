/* tls_link.h - tcpserver's side of TLS: the helper (tls(8)), and what a session has to do with it.
 *
 * Shape   the helper is started once, before privileges are dropped, and told of each session by an order
 *         (net/tls_wire.h) when its program runs. The program has one end of two pairs, the helper the other:
 *         control, and plain text. Nothing of it stays with us.
 * Use     tls_link_begin; start the program with tls_ends_pass or tls_ends_map; then tls_link_order with its
 *         pid, or tls_ends_close.
 * Cost    two socketpair(2) and one sendmsg(2) a connection.
 * Errors  a helper that has ended is started again, at most once a second, as the user that we are by then. A
 *         session that it is not told of sees the end of its control. */
#ifndef TCPSERVER_TLS_LINK_H
#define TCPSERVER_TLS_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/env.h"
#include "base/spawn.h"
#include "net/pass.h"
#include "tcpserver/config.h"

struct tls_link {
	const struct config *config;
	int fd; /* to the helper; -1: there is none */
	int64_t not_before_ms;
};

/* Returns when the helper is ready, ends the process when it cannot be; without --tls does nothing. */
void tls_link_open(struct tls_link *l, const struct config *c);
void tls_link_close(struct tls_link *l);

/* For the server that takes our place; false takes it back. */
int tls_link_bequeath(const struct tls_link *l, bool give);

struct tls_ends {
	int control, plain;               /* the program's; -1: there is none */
	int helper_control, helper_plain; /* -1: the helper has them */
};

/* control: of a session that the helper knows of already, else -1. Sets the variables. False: there are no
 * descriptors for it. */
bool tls_link_begin(const struct tls_link *l, int control, struct env *e, struct tls_ends *ends)
	__attribute__((warn_unused_result));

void tls_ends_none(struct tls_ends *ends);
void tls_ends_close(struct tls_ends *ends);
/* What the program gets, with the connection that it has on 0 and 1. */
void tls_ends_pass(const struct tls_link *l, const struct tls_ends *ends, int connection, struct pass *p);
void tls_ends_map(const struct tls_link *l, const struct tls_ends *ends, int connection, struct spawn *s);
/* Closes the ends, ours and those that were passed. */
void tls_link_order(struct tls_link *l, struct tls_ends *ends, int connection, pid_t program);

#endif
