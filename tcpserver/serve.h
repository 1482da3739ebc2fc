/* serve.h - the one poll loop: clients, children, names, signals.
 *
 * Shape   accept, find names if they are wanted, decide, start the program; one path for every client.
 *         Nothing in the loop waits but epoll_wait(2).
 * Errors  what is short (descriptors, memory, processes) pauses accepting for 100 ms; the server lives on.
 * Signals TERM ends it: at once, or when those who wait for their names were served; with --drain when the
 *         last program has ended, or the time is over. CHLD is a child's end. HUP does nothing. USR2 is
 *         handover.h. Children live on in any case. */
#ifndef TCPSERVER_SERVE_H
#define TCPSERVER_SERVE_H

#include "tcpserver/config.h"
#include "tcpserver/listeners.h"
#include "tcpserver/tls_link.h"

/* -1 with errno when it cannot begin, else what the process exits with. */
int serve(struct listeners *listeners, struct tls_link *tls, const struct config *c)
	__attribute__((warn_unused_result));

#endif
