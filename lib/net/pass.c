#include "net/pass.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void pass_close(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++)
		close(p->fd[i]);
	p->count = 0;
}

int pass_send(int socket, const void *p, size_t n, const struct pass *with, int flags)
{
	struct iovec iov = { .iov_base = (void *)p, .iov_len = n };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(PASS_MAX * sizeof(int))];
	} rights = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (with != NULL && with->count > 0) {
		const size_t bytes = with->count * sizeof(int);

		m.msg_control = &rights;
		m.msg_controllen = (socklen_t)CMSG_SPACE(bytes); /* size_t, or that: libcs differ */
		rights.head.cmsg_level = SOL_SOCKET;
		rights.head.cmsg_type = SCM_RIGHTS;
		rights.head.cmsg_len = (socklen_t)CMSG_LEN(bytes);
		memcpy(CMSG_DATA(&rights.head), with->fd, bytes);
	}
	do
		sent = sendmsg(socket, &m, flags | MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent == -1 ? -1 : 0;
}

/* False: something else came, or more than there is room for; what came is closed. */
static bool take(struct msghdr *m, struct pass *with)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len >= CMSG_LEN(sizeof(int)) && c->cmsg_len <= CMSG_LEN(sizeof with->fd)) {
		with->count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(with->fd, CMSG_DATA(c), with->count * sizeof(int));
	}
	if ((m->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && (c == NULL || with->count > 0))
		return true;
	pass_close(with);
	return false;
}

ssize_t pass_receive(int socket, void *p, size_t cap, struct pass *with, int flags)
{
	struct iovec iov = { .iov_base = p, .iov_len = cap };
	_Alignas(struct cmsghdr) char rights[CMSG_SPACE(sizeof with->fd)];
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights };
	ssize_t n;

	with->count = 0;
	do {
		/* not CMSG_SPACE: its padding has room for one more descriptor */
		m.msg_controllen = CMSG_LEN(sizeof with->fd);
		n = recvmsg(socket, &m, flags);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	if (!take(&m, with)) {
		errno = EPROTO;
		return -1;
	}
	return n;
}
