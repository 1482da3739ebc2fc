/* silence.h - how long nothing has moved on a TCP connection that a program of ours holds.
 *
 * Shape   asked of the kernel by the four numbers of a connection, so the server keeps no descriptor of
 *         it: one that it kept would hide from the client that the program has closed.
 * Units   milliseconds since the last data in either direction.
 * Errors  SILENCE_UNKNOWN: no such connection any more, or a kernel that does not tell.
 * Source  sock_diag(7), INET_DIAG_INFO; tcp(7), TCP_INFO; pidfd_getfd(2). */
#ifndef TCPSERVER_SILENCE_H
#define TCPSERVER_SILENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/ends.h"

enum { SILENCE_UNKNOWN = -1 };

struct silence {
	int fd; /* -1: not open */
};

/* *hung_up: the client has closed its side. */
int32_t silence_ms(struct silence *s, const struct ends *e, bool *hung_up);
void silence_close(struct silence *s);

/* Ends the connection that pid has on its descriptor 0, if that is the one with these ends. */
void silence_shut(pid_t pid, const struct ends *e);

#endif
