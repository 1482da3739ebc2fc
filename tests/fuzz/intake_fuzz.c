/* Whatever a client sends, in whatever pieces, over a store that is busy, full or slow: every message that is begun comes
 * to an end, every envelope has one answer, and nobody is left when the client has gone. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "queue/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WAITING_MAX = 4096 };

struct store_message {
	void *owner;
};

static struct intake *in;
static char path[64];
static unsigned open_messages;
static void *waiting[WAITING_MAX]; /* for the store */
static size_t waiting_count;
static void *busy_one;
static unsigned mood; /* of the store, by call */

static bool now_and_then(unsigned often)
{
	mood = mood * 1103515245U + 12345U;
	return often != 0 && (mood >> 16) % often == 0;
}

static unsigned refuses, is_slow;

static struct store_message *start(struct store *s, void *owner, const char *head, size_t n)
{
	struct store_message *m = NULL;

	(void)s;
	if (memcmp(head, "Received: ", 10) != 0 || head[n - 1] != '\n')
		abort();
	errno = ENOSPC;
	if (!now_and_then(refuses))
		m = malloc(sizeof *m);
	if (m == NULL)
		return NULL;
	m->owner = owner;
	open_messages++;
	return m;
}

static bool busy(const struct store_message *m)
{
	return busy_one == m->owner;
}

static int put(struct store_message *m, const void *p, size_t n)
{
	(void)p;
	if (n == 0 || busy_one == m->owner)
		abort();
	if (now_and_then(is_slow))
		busy_one = m->owner;
	errno = EIO;
	return now_and_then(refuses) ? -1 : 0;
}

static void leave(struct store_message *m)
{
	if (busy_one == m->owner)
		busy_one = NULL;
	open_messages--;
	free(m);
}

static void finish(struct store_message *m, const struct envelope *e, const struct store_origin *from)
{
	if (waiting_count == WAITING_MAX || e->bytes[e->len - 1] != '\0' || from->uid != getuid())
		abort();
	waiting[waiting_count++] = m->owner;
	leave(m);
}

static const struct store_ops ops = {
	.begin = start, .busy = busy, .write = put, .finish = finish, .abandon = leave
};

/* The socket has no name any more: nothing is left behind. */
static void open_once(void)
{
	static char folder[] = "/tmp/intake_fuzz.XXXXXX";
	char why[256], name[64];
	struct intake_options o = { .path = name, .mode = 0600 };
	int fd;

	if (mkdtemp(folder) == NULL)
		abort();
	snprintf(name, sizeof name, "%s/s", folder);
	in = intake_open(&o, &ops, NULL, why, sizeof why);
	fd = open(name, O_PATH | O_CLOEXEC);
	unlink(name);
	rmdir(folder);
	if (in == NULL || fd == -1)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
}

static int dial(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path, path, strlen(path) + 1);
	if (fd == -1 || connect(fd, (const struct sockaddr *)&at, sizeof at) == -1)
		abort();
	return fd;
}

/* The store has done what it had to do, the last first. */
static void settle(void)
{
	while (waiting_count > 0) {
		void *owner = waiting[--waiting_count];

		if (now_and_then(refuses))
			intake_lost(NULL, owner, ENOMEM);
		else
			intake_kept(owner, mood);
	}
	if (busy_one != NULL) {
		void *owner = busy_one;

		busy_one = NULL;
		intake_ready(NULL, owner);
	}
}

static void turn(void)
{
	struct pollfd p = { .fd = intake_fd(in), .events = POLLIN };

	while (intake_timeout_ms(in) == 0 || poll(&p, 1, 0) == 1)
		intake_turn(in);
}

static void come_to_rest(void)
{
	turn();
	while (waiting_count > 0 || busy_one != NULL) {
		settle();
		turn();
	}
}

static size_t answers(int fd)
{
	char bytes[4096];
	size_t count = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			count += bytes[i] == ',';
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 3, heard = 0;
	int fd;

	if (in == NULL)
		open_once();
	if (size < 4)
		return 0;
	refuses = data[0] % 8;
	is_slow = data[1] % 8;
	mood = data[2];
	fd = dial();
	while (at < size) {
		const size_t piece = 1 + mood % 97, n = size - at < piece ? size - at : piece;
		const ssize_t w = send(fd, data + at, n, MSG_NOSIGNAL);

		if (w > 0)
			at += (size_t)w;
		else if (errno != EAGAIN)
			break;
		turn();
		if (now_and_then(3))
			settle();
		turn();
		heard += answers(fd);
	}
	if (mood & 1)
		shutdown(fd, SHUT_WR);
	come_to_rest();
	heard += answers(fd);
	if (intake_unanswered(in) != 0 || heard > size)
		abort();
	close(fd);
	come_to_rest();
	if (open_messages != 0 || intake_unanswered(in) != 0 || intake_timeout_ms(in) != -1)
		abort();
	return 0;
}
