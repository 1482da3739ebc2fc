/* handover.h - a server that is replaced by a new binary of itself, in its own process.
 *
 * Shape   SIGUSR2: the same command line is executed again, under the same pid. The listening sockets stay
 *         open (listeners.h), so no client is refused meanwhile; programs that run stay our children. What
 *         is known of them, and the connections that still wait, go along in a file in memory.
 * Errors  when the new binary cannot be executed, the old one goes on. A new one that does not understand
 *         the file has the sockets all the same: it only does not count those who were there before it. */
#ifndef TCPSERVER_HANDOVER_H
#define TCPSERVER_HANDOVER_H

#include "tcpserver/server.h"

void handover_exec(struct server *v); /* returns when it failed, and says why */

/* In the new server, before it accepts: sessions that go on, clients that wait. */
void handover_take(struct server *v);

#endif
