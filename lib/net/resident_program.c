#include "net/resident.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "net/pass.h"
#include "net/tls_wire.h"

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

/* ---- descriptors of TLS --------------------------------------------------------------------------------- */

/* What the environment calls it, -1: it does not. */
static int number_of(const char *name)
{
	const char *text = getenv(name);
	unsigned long fd;

	return text == NULL || num_parse(text, RESIDENT_FD + 1, UINT16_MAX, &fd) != NULL ? -1 : (int)fd;
}

static void close_tls(void)
{
	static const char *const names[] = { TLS_CONTROL_ENV, TLS_READ_ENV, TLS_WRITE_ENV };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const int fd = number_of(names[i]);

		if (fd != -1)
			close(fd);
	}
}

static bool put(int from, int to)
{
	return from == to || dup3(from, to, O_CLOEXEC) == to;
}

/* They came on the lowest free numbers, in their order: of the two only the first can be where the second
 * belongs while the second is not where the first does. */
static bool place_tls(const struct pass *came)
{
	const int control = number_of(TLS_CONTROL_ENV), in = number_of(TLS_READ_ENV),
		  out = number_of(TLS_WRITE_ENV);
	const int first = came->fd[1], second = came->count > 2 ? came->fd[2] : -1;
	const bool in_the_way = first == in || first == out;

	if (control == -1 || (second != -1 && (in == -1 || out == -1)) ||
		(in_the_way && !put(first, control)) ||
		(second != -1 && (!put(second, in) || !put(second, out))) ||
		(!in_the_way && !put(first, control)))
		return false;
	for (size_t i = 1; i < came->count; i++)
		if (came->fd[i] != control && came->fd[i] != in && came->fd[i] != out)
			close(came->fd[i]);
	return true;
}

/* ---- the next connection -------------------------------------------------------------------------------- */

/* On 0 and 1, and there also for programs that we run. */
static bool place_connection(int fd)
{
	bool moved = fd == 0 || dup2(fd, 0) == 0;

	if (fd != 0)
		close(fd);
	moved = moved && dup2(0, 1) == 1;
	return moved && (fd != 0 || dup2(1, 0) == 0);
}

static bool receive(const struct resident *r)
{
	struct pass came;
	const ssize_t n =
		pass_receive(r->control, memory.block, sizeof memory.block, &came, MSG_CMSG_CLOEXEC);

	if (n <= 0 || came.count == 0)
		return false;
	memory.block_bytes = (size_t)n;
	return place_connection(came.fd[0]) &&
	       resident_decode(memory.block, memory.block_bytes, memory.vector) &&
	       (came.count == 1 || place_tls(&came));
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
	close_tls();
	wipe_environment();
	return pass_send(r->control, done, sizeof done, NULL, 0) == 0 && receive(r);
}

void resident_back(struct resident *r)
{
	const char back = RESIDENT_BACK;
	const int control = number_of(TLS_CONTROL_ENV), plain = number_of(TLS_READ_ENV);
	struct pass all = { .fd = { 0, control, plain }, .count = 1 };

	if (control != -1)
		all.count = plain != -1 ? 3 : 2;
	if (pass_send(r->control, &back, sizeof back, &all, 0) == -1)
		return; /* the server is gone: so is the connection, when we exit */
}

/* ---- what belongs to whom ------------------------------------------------------------------------------ */

bool resident_of_connection(const char *pair)
{
	static const char *const beginnings[] = { "PROTO=", "TCPLOCAL", "TCPREMOTE",
		"RELAYCLIENT=", "DATABYTES=", "SMTPNEWLINE=", "XCLIENT=", "SSL", "SMTPS=", "SMTPAUTH" };

	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
		if (strncmp(pair, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static bool is_among(char *const vector[], size_t count, const char *pair)
{
	const size_t name = strcspn(pair, "=") + 1;

	for (size_t i = 0; i < count; i++)
		if (strncmp(vector[i], pair, name) == 0)
			return true;
	return false;
}

char **resident_variables(char *const more[])
{
	static char *vector[RESIDENT_VARS + 1];
	size_t count = 0;

	for (; more != NULL && *more != NULL && count < RESIDENT_VARS; more++)
		vector[count++] = *more;
	for (char **v = environ; *v != NULL && count < RESIDENT_VARS; v++)
		if (resident_of_connection(*v) && !is_among(vector, count, *v))
			vector[count++] = *v;
	vector[count] = NULL;
	return vector;
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
