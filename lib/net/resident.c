#include "net/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"

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

/* ---- the program's side -------------------------------------------------------------------------------- */

/* One process has one environment, so this is one too. Pages that no block reaches cost nothing. */
static struct {
	char first[RESIDENT_BLOCK]; /* as at the start, without what belongs to the first connection */
	size_t first_bytes;
	char block[RESIDENT_BLOCK];
	size_t block_bytes;
	char *vector[RESIDENT_VARS + 1];
} memory;

static bool is_control(int fd)
{
	int type = 0, domain = 0;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

static unsigned long bound(void)
{
	const char *text = getenv(RESIDENT_ENV_MAX);
	unsigned long n = RESIDENT_BOUND;

	if (text != NULL)
		(void)num_leading(text, strlen(text), &n);
	return n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : n;
}

static ssize_t remember(void)
{
	size_t count = 0;

	for (char **v = environ; *v != NULL; v++)
		if (!resident_of_connection(*v) && count < RESIDENT_VARS)
			memory.vector[count++] = *v;
	memory.vector[count] = NULL;
	return resident_encode(memory.vector, memory.first, sizeof memory.first);
}

bool resident_open(struct resident *r)
{
	const char *text = getenv(RESIDENT_ENV);
	ssize_t n;

	*r = (struct resident){ .control = -1, .null = -1 };
	if (text == NULL || strcmp(text, "3") != 0 || !is_control(RESIDENT_FD))
		return false; /* the variable may be a stranger's, passed on by a shell */
	if (fcntl(RESIDENT_FD, F_SETFD, FD_CLOEXEC) == -1)
		return false;
	n = remember();
	r->null = n == -1 ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
	if (r->null == -1) {
		close(RESIDENT_FD);
		return false;
	}
	memory.first_bytes = (size_t)n;
	r->control = RESIDENT_FD;
	r->left = (unsigned)bound() - 1;
	return true;
}

/* The first environment lies where the kernel put it, all others in our block. */
static void wipe_environment(void)
{
	for (char **v = environ; v != memory.vector && *v != NULL; v++)
		memset(*v, 0, strlen(*v));
	memset(memory.block, 0, memory.block_bytes);
	memory.block_bytes = 0;
	memory.vector[0] = NULL;
	environ = memory.vector;
}

static bool receive(const struct resident *r)
{
	int connection;
	const ssize_t n = resident_receive(r->control, memory.block, sizeof memory.block, &connection, 0);

	if (n <= 0 || connection == -1)
		return false;
	memory.block_bytes = (size_t)n;
	if (connection != 0) { /* somebody has opened one meanwhile */
		const bool moved = dup2(connection, 0) == 0;

		close(connection);
		if (!moved)
			return false;
	}
	return dup2(0, 1) == 1 && resident_decode(memory.block, memory.block_bytes, memory.vector);
}

bool resident_next(struct resident *r, int exit_code)
{
	const char done[2] = { RESIDENT_DONE, (char)exit_code };

	if (r->control == -1 || r->left == 0)
		return false;
	r->left--;
	close(0); /* and free: it is where the next connection comes */
	if (dup2(r->null, 1) == -1)
		return false;
	wipe_environment();
	return resident_send(r->control, done, sizeof done, -1, 0) == 0 && receive(r);
}

void resident_back(struct resident *r)
{
	const char back = RESIDENT_BACK;

	if (resident_send(r->control, &back, sizeof back, 0, 0) == -1)
		return; /* the server is gone: so is the connection, when we exit */
}

/* ---- what belongs to whom ------------------------------------------------------------------------------ */

bool resident_of_connection(const char *pair)
{
	static const char *const beginnings[] = { "PROTO=", "TCPLOCAL", "TCPREMOTE",
		"RELAYCLIENT=", "DATABYTES=" };

	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
		if (strncmp(pair, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static bool is_now(const char *pair)
{
	for (char **v = environ; *v != NULL; v++)
		if (strcmp(*v, pair) == 0)
			return true;
	return false;
}

/* As many, and each of the old ones is there: servers may change the order. */
bool resident_same_place(void)
{
	size_t before = 0, now = 0;

	for (size_t at = 0; at < memory.first_bytes; at += strlen(memory.first + at) + 1) {
		if (!is_now(memory.first + at))
			return false;
		before++;
	}
	for (char **v = environ; *v != NULL; v++)
		now += !resident_of_connection(*v);
	return now == before;
}
