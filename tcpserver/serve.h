/* serve.h - the one poll loop: clients, children, names, signals.
 *
 * Shape   accept, find names if they are wanted, decide, start the program; one path for every client.
 *         Nothing in the loop waits but poll(2) and the log.
 * Errors  what is short (descriptors, memory, processes) pauses accepting for 100 ms; the server lives on.
 * Signals TERM ends it: at once, or when those who wait for their names were served. CHLD is a child's
 *         end. HUP does nothing. Children live on in any case. */
#ifndef TCPSERVER_SERVE_H
#define TCPSERVER_SERVE_H

#include "tcpserver/config.h"

/* -1 with errno when it cannot begin, else what the process exits with. */
int serve(int listener, const struct config *c) __attribute__((warn_unused_result));

#endif
