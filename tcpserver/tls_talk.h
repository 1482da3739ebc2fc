/* tls_talk.h - TLS sessions, one at a time in a process of their own: handshake, then bytes both ways.
 *
 * Shape   the process gives up what it has (descriptors, user, system calls) before it reads a byte of a
 *         client. When a session is over its keys and buffers are wiped, and the next one is waited for, up
 *         to a bound. Neither way waits for the other; TALK_BYTES a way are held, no more is read before they are
 *         gone. The client's end (close_notify) is the program's end of file, and the other way round; a
 *         client that goes without a word ends both ways.
 * Units   handshake_ms for the handshake as a whole; TALK_LINGER_MS for what is on its way when the
 *         program has ended.
 * Source  RFC 8446 section 6.1; UCSPI-TLS. */
#ifndef TCPSERVER_TLS_TALK_H
#define TCPSERVER_TLS_TALK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/user.h"
#include "net/tls.h"

enum { TALK_BYTES = 16 * 1024, TALK_LINGER_MS = 10 * 1000 };

struct tls_talk {
	int connection, control, plain;
	bool variables; /* the program wants to hear what was agreed on */
	pid_t program;
	struct user user;
	bool verbose;
	int handshake_ms;
	int more;          /* to the master: the next session */
	unsigned sessions; /* in all */
	unsigned changes;  /* said when a session is over: what the process was started with */
};

/* The packet on more, with the next session's three descriptors. */
struct tls_next {
	pid_t program;
	bool variables;
};

/* In a child of the master. */
_Noreturn void tls_talk(struct tls *t, const struct tls_talk *how);

#endif
