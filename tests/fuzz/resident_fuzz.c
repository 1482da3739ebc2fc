/* The wire of resident programs: a packet is taken whole and with three descriptors at most, or refused, and no
 * descriptor stays behind; a block is taken exactly when it is an environment, and makes the same bytes again.
 * The first byte of the input says what goes with the rest: descriptors (bits 0 and 1), two more of them (bit
 * 4), a receiver whose room is too small by one byte (bit 2), one who is also told who sends (bit 3). */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/pass.h"
#include "net/resident.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DESCRIPTORS = 3, CUT = 4, CREDENTIALS = 8, TWO_MORE = 16, MOST = 5 };

static int pair[2], passed_on; /* what is sent along */

static void open_once(void)
{
	static bool is_open;

	if (is_open)
		return;
	passed_on = memfd_create("passed", 0);
	if (passed_on == -1 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
		abort();
	is_open = true;
}

/* An access behind the end shows. */
static void *exactly(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		abort();
	return p;
}

/* The lowest free one: a descriptor that stays behind takes it. */
static int free_descriptor(void)
{
	const int fd = dup(passed_on);

	if (fd == -1 || close(fd) == -1)
		abort();
	return fd;
}

static bool is_passed_on(int fd)
{
	struct stat sent, got;

	if (fstat(passed_on, &sent) == -1 || fstat(fd, &got) == -1)
		abort();
	return sent.st_dev == got.st_dev && sent.st_ino == got.st_ino;
}

/* As many descriptors as anybody likes: pass_send knows three only. */
static void send_packet(const char *p, size_t n, size_t descriptors)
{
	struct iovec iov = { .iov_base = (char *)p, .iov_len = n };
	_Alignas(struct cmsghdr) char rights[CMSG_SPACE(MOST * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (descriptors > 0) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)rights;

		m.msg_control = rights;
		m.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
		for (size_t i = 0; i < descriptors; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &passed_on, sizeof passed_on);
	}
	if (sendmsg(pair[0], &m, 0) != (ssize_t)n)
		abort();
}

static bool is_good(const struct pass *came, size_t descriptors)
{
	if (came->count != descriptors)
		return false;
	for (size_t i = 0; i < descriptors; i++)
		if (!is_passed_on(came->fd[i]))
			return false;
	return true;
}

static void send_any(const char *sent, size_t n, size_t descriptors)
{
	struct pass p = { .count = descriptors };

	if (descriptors > PASS_MAX) {
		send_packet(sent, n, descriptors);
		return;
	}
	for (size_t i = 0; i < descriptors; i++)
		p.fd[i] = passed_on;
	if (pass_send(pair[0], sent, n, &p, 0) == -1)
		abort();
}

static void receive(const char *sent, size_t n, unsigned how)
{
	const size_t descriptors = (how & DESCRIPTORS) + ((how & TWO_MORE) != 0 ? 2 : 0),
		     room = (how & CUT) && n > 0 ? n - 1 : n;
	const int before = free_descriptor(), told = (how & CREDENTIALS) != 0;
	const bool good = room == n && descriptors <= PASS_MAX && !told;
	char *got = exactly(room);
	struct pass came;
	ssize_t result;

	if (setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &told, sizeof told) == -1)
		abort();
	send_any(sent, n, descriptors);
	errno = 0;
	result = pass_receive(pair[1], got, room, &came, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (good && (result != (ssize_t)n || memcmp(got, sent, n) != 0 || !is_good(&came, descriptors)))
		abort();
	if (!good && (result != -1 || errno != EPROTO || came.count != 0))
		abort();
	pass_close(&came);
	if (free_descriptor() != before)
		abort();
	free(got);
}

/* The plainest reader: "NAME=value\0" ... */
static bool is_environment(const char *p, size_t n)
{
	size_t variables = 0, name = 0;
	bool equals = false;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\0') {
			if (!equals)
				return false;
			variables++;
			name = 0;
			equals = false;
		} else if (p[i] == '=' && !equals) {
			if (name == 0)
				return false;
			equals = true;
		} else {
			name++;
		}
	}
	return n > 0 && p[n - 1] == '\0' && variables <= RESIDENT_VARS;
}

static void walk(char **vector, const char *block, size_t n)
{
	const char *next = block;
	size_t count = 0;

	for (; vector[count] != NULL; count++) {
		const char *equals = strchr(vector[count], '=');

		if (vector[count] != next || equals == NULL || equals == next)
			abort();
		next += strlen(next) + 1;
	}
	if (count < 1 || count > RESIDENT_VARS || next != block + n)
		abort();
}

static void decode(const char *sent, size_t n)
{
	char *block = exactly(n), *again = exactly(n);
	char **vector = exactly((RESIDENT_VARS + 1) * sizeof *vector);

	memcpy(block, sent, n);
	if (resident_decode(block, n, vector) != is_environment(sent, n))
		abort();
	if (vector[0] != NULL) {
		walk(vector, block, n);
		if (resident_encode(vector, again, n) != (ssize_t)n || memcmp(again, sent, n) != 0)
			abort();
		if (resident_encode(vector, again, n - 1) != -1 || errno != E2BIG)
			abort();
	} else if (is_environment(sent, n)) {
		abort();
	}
	if (memcmp(block, sent, n) != 0)
		abort();
	free(block);
	free(again);
	free(vector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > RESIDENT_BLOCK)
		return 0;
	open_once();
	receive((const char *)data + 1, size - 1, data[0]);
	decode((const char *)data + 1, size - 1);
	return 0;
}
