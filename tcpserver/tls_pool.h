/* tls_pool.h - processes for TLS sessions: one that has ended its session serves another.
 *
 * Shape   a process has one session at a time (tls_talk.h). Done, it says so and waits; POOL_IDLE of them are kept,
 *         the one that has waited least is taken first. None serves with certificates or tickets that have
 *         changed since it was started.
 * Cost    a new process is about 130 page faults, most of a handshake's CPU time where faults are dear; one that
 *         waits has 300 KiB of its own.
 * Errors  a session that cannot be started loses its descriptors: its program sees the end of its control. */
#ifndef TCPSERVER_TLS_POOL_H
#define TCPSERVER_TLS_POOL_H

#include <stdint.h>

#include "tcpserver/tls_talk.h"

enum { POOL_IDLE = 16 };

/* In epoll_event.data.u64: a descriptor of the pool, for tls_pool_hear. */
#define POOL_MARK (UINT64_C(1) << 32)

struct tls_pool {
	int poll; /* where its descriptors are waited for */
	int idle[POOL_IDLE];
	unsigned count;
	unsigned changes; /* tls_store_changes when they were started */
	bool closed;
};

/* Descriptors of how are the pool's from here on. */
void tls_pool_start(struct tls_pool *p, struct tls *tls, unsigned changes, const struct tls_talk *how);
void tls_pool_hear(struct tls_pool *p, int fd);

/* No process waits any more, nor will one. */
void tls_pool_close(struct tls_pool *p);

#endif
