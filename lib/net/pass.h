/* net/pass.h - a packet that carries descriptors: the wire of portero-resident(7) and of tls(8).
 *
 * Shape   over a SOCK_SEQPACKET pair, one packet whole or not at all, with PASS_MAX descriptors at most.
 * Errors  -1 with errno, EPROTO for a packet that is cut, or that carries what it should not; whatever
 *         descriptors came with it are closed then.
 * Source  unix(7), SCM_RIGHTS; recvmsg(2), MSG_TRUNC and MSG_CTRUNC. */
#ifndef NET_PASS_H
#define NET_PASS_H

#include <stddef.h>
#include <sys/types.h>

enum { PASS_MAX = 3 };

struct pass {
	int fd[PASS_MAX];
	size_t count;
};

/* with may be NULL: none. flags as for send(2). */
int pass_send(int socket, const void *p, size_t n, const struct pass *with, int flags)
	__attribute__((warn_unused_result));

/* Bytes of the next packet, 0 when the other side is gone. What came is in *with, ours to close. flags as for
 * recv(2), and MSG_CMSG_CLOEXEC. */
ssize_t pass_receive(int socket, void *p, size_t cap, struct pass *with, int flags)
	__attribute__((warn_unused_result));

void pass_close(struct pass *p); /* all of it */

#endif
