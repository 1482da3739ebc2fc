/* tls_master.h - the process that holds the keys: takes orders, waits for a program's word, starts sessions.
 *
 * Shape   one epoll loop over the socket to tcpserver and the controls of programs that have not asked yet. A
 *         program that says TLS_WORD_VARIABLES gets a process (tls_pool.h); one that closes its control, or
 *         says anything else, is forgotten. In wrap mode the process starts at once.
 *         No byte of a client is read here.
 * Cost    three descriptors a program that has not asked yet, no memory but their numbers, no process.
 * Errors  what cannot be served loses its descriptors: its program sees the end of its control. */
#ifndef TCPSERVER_TLS_MASTER_H
#define TCPSERVER_TLS_MASTER_H

#include <stdbool.h>

#include "base/user.h"
#include "net/tls.h"

struct tls_master_config {
	const char *dir;
	struct tls_rules rules;
	struct user user; /* of the sessions' processes */
	bool verbose;
	int handshake_ms;
	unsigned sessions; /* of one process */
};

/* announce: tcpserver waits to hear that we are ready. Returns the exit code, when tcpserver and all who might
 * still ask are gone. */
int tls_master(const struct tls_master_config *c, bool announce);

#endif
