#include "tcpserver/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "tcpserver/lookup_helper.h"

enum { RESTART_MS = 1000, OLD_KERNEL_FDS = 1024 /* close_range(2) is Linux 5.9 */ };

void lookup_init(struct lookup *l, const struct config *c)
{
	memset(l, 0, sizeof *l);
	l->config = c;
	l->fd = -1;
}

bool lookup_wanted(const struct config *c)
{
	return c->local_name == NULL || c->remote_name || c->remote_info;
}

/* Everything of ours from this descriptor on: close-on-exec does not help a child that never execs. */
static void close_from(unsigned first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	for (unsigned fd = first; fd < OLD_KERNEL_FDS; fd++)
		close((int)fd);
}

/* The helper holds its end of the pair, the log, and nothing else of ours. */
static _Noreturn void run_helper(const struct lookup *l, int fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fd != 3 && dup3(fd, 3, O_CLOEXEC) == -1)
		_exit(EXIT_TEMPORARY);
	close_from(4);
	lookup_helper(l->config, 3);
}

static int start(struct lookup *l)
{
	const int64_t now = clock_ms();
	int pair[2];

	if (now < l->not_before_ms)
		return -1;
	l->not_before_ms = now + RESTART_MS;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == -1)
		return -1;
	l->pid = fork(); /* once in a server's life: the tables of a small process are copied */
	if (l->pid == 0)
		run_helper(l, pair[1]);
	close(pair[1]);
	if (l->pid == -1) {
		close(pair[0]);
		return -1;
	}
	l->fd = pair[0];
	return 0;
}

void lookup_close(struct lookup *l)
{
	if (l->fd != -1)
		close(l->fd);
	l->fd = -1;
}

enum lookup_ask lookup_ask(struct lookup *l, const struct lookup_question *q)
{
	if (l->fd == -1 && start(l) == -1)
		return LOOKUP_FAILED;
	if (send(l->fd, q, sizeof *q, MSG_NOSIGNAL) == (ssize_t)sizeof *q)
		return LOOKUP_ASKED;
	if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
		return LOOKUP_LATER;
	return LOOKUP_FAILED; /* lookup_next will see its end */
}

bool lookup_next(struct lookup *l, struct lookup_answer *a)
{
	ssize_t n;

	if (l->fd == -1)
		return false;
	n = recv(l->fd, a, sizeof *a, 0);
	if (n == (ssize_t)sizeof *a)
		return true;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	lookup_close(l);
	return false;
}
