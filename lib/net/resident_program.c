#include "net/resident.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"

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
		"RELAYCLIENT=", "DATABYTES=", "SMTPNEWLINE=", "XCLIENT=", "SSL", "SMTPS=" };

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
