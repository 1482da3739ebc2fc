#include "net/resident.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- packets ------------------------------------------------------------------------------------------- */

ssize_t resident_encode(char *const envp[], char *block, size_t cap)
{
	size_t n = 0, count = 0;

	for (; envp[count] != NULL; count++) {
		const size_t len = strlen(envp[count]) + 1;

		if (count == RESIDENT_VARS || len > cap - n) {
			errno = E2BIG;
			return -1;
		}
		memcpy(block + n, envp[count], len);
		n += len;
	}
	if (n == 0) { /* a packet of no bytes would look like the end */
		errno = E2BIG;
		return -1;
	}
	return (ssize_t)n;
}

bool resident_decode(char *block, size_t n, char **vector)
{
	size_t count = 0;

	vector[0] = NULL;
	if (n == 0 || block[n - 1] != '\0')
		return false;
	for (size_t at = 0; at < n; at += strlen(block + at) + 1) {
		const char *equals = strchr(block + at, '=');

		if (count == RESIDENT_VARS || equals == NULL || equals == block + at) {
			vector[0] = NULL;
			return false;
		}
		vector[count++] = block + at;
		vector[count] = NULL;
	}
	return true;
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
