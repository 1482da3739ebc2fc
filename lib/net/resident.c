#include "net/resident.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- packets ------------------------------------------------------------------------------------------- */

ssize_t resident_encode(char *const envp[], char *block, size_t cap)
{
	return env_block_encode(envp, block, cap);
}

bool resident_decode(char *block, size_t n, char **vector)
{
	return env_block_decode(block, n, vector);
}

int resident_send(int control, const void *p, size_t n, int passed, int flags)
{
	struct iovec iov = { .iov_base = (void *)p, .iov_len = n };
	_Alignas(struct cmsghdr) char rights[CMSG_SPACE(sizeof passed)] = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (passed != -1) {
		struct cmsghdr *c;

		m.msg_control = rights;
		m.msg_controllen = sizeof rights;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof passed);
		memcpy(CMSG_DATA(c), &passed, sizeof passed);
	}
	do
		sent = sendmsg(control, &m, flags | MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent == -1 ? -1 : 0;
}

/* False: something else came, or more than one descriptor; what came is closed. */
static bool take_passed(struct msghdr *m, int *passed)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof *passed))
		memcpy(passed, CMSG_DATA(c), sizeof *passed);
	if ((m->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && (c == NULL || *passed != -1))
		return true;
	if (*passed != -1)
		close(*passed);
	*passed = -1;
	return false;
}

ssize_t resident_receive(int control, void *p, size_t cap, int *passed, int flags)
{
	struct iovec iov = { .iov_base = p, .iov_len = cap };
	_Alignas(struct cmsghdr) char rights[CMSG_SPACE(sizeof *passed)];
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights };
	ssize_t n;

	*passed = -1;
	do {
		/* not CMSG_SPACE: its padding has room for a second descriptor */
		m.msg_controllen = CMSG_LEN(sizeof *passed);
		n = recvmsg(control, &m, flags);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	if (!take_passed(&m, passed)) {
		errno = EPROTO;
		return -1;
	}
	return n;
}
