#include "tcpserver/tls_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "net/pass.h"

static void close_all(const struct tls_talk *how)
{
	close(how->connection);
	close(how->control);
	close(how->plain);
}

/* Descriptors are closed by tls_pool_hear alone, when the end of the other side is told: what else was told of them in
 * the same moment must not be taken for news of their successors. */
static void forget_idle(struct tls_pool *p)
{
	while (p->count > 0)
		(void)shutdown(p->idle[--p->count], SHUT_RDWR); /* it sees that and ends */
}

static bool hand_over(int to, const struct tls_talk *how)
{
	const struct tls_next next = { .program = how->program, .variables = how->variables };
	const struct pass with = { { how->connection, how->control, how->plain }, 3 };

	return pass_send(to, &next, sizeof next, &with, MSG_DONTWAIT) == 0;
}

static void start_process(struct tls_pool *p, struct tls *tls, const struct tls_talk *how)
{
	struct tls_talk mine = *how;
	struct epoll_event e = { .events = EPOLLIN };
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
		warn("no TLS for %ld: no socket: %s", (long)how->program, errtext(errno));
		return;
	}
	mine.more = pair[1];
	e.data.u64 = POOL_MARK | (uint64_t)pair[0];
	pid = fork();
	if (pid == 0)
		tls_talk(tls, &mine);
	close(pair[1]);
	if (pid == -1)
		warn("no TLS for %ld: unable to fork: %s", (long)how->program, errtext(errno));
	if (pid == -1 || epoll_ctl(p->poll, EPOLL_CTL_ADD, pair[0], &e) == -1)
		close(pair[0]); /* it serves this one and ends */
}

void tls_pool_start(struct tls_pool *p, struct tls *tls, unsigned changes, const struct tls_talk *how)
{
	if (changes != p->changes)
		forget_idle(p);
	p->changes = changes;
	/* of the connection itself: whoever reads it from here on waits with poll(2) */
	(void)fcntl(how->connection, F_SETFL, O_NONBLOCK);
	(void)fcntl(how->plain, F_SETFL, O_NONBLOCK);
	while (p->count > 0)
		if (hand_over(p->idle[--p->count], how)) { /* else it has died */
			close_all(how);
			return;
		}
	start_process(p, tls, how);
	close_all(how);
}

static void remove_idle(struct tls_pool *p, int fd)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->idle[i] == fd)
			p->idle[i] = p->idle[--p->count];
}

void tls_pool_hear(struct tls_pool *p, int fd)
{
	unsigned changes = 0;
	const ssize_t n = recv(fd, &changes, sizeof changes, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	remove_idle(p, fd);
	if (n == (ssize_t)sizeof changes && changes == p->changes && p->count < POOL_IDLE && !p->closed) {
		p->idle[p->count++] = fd;
		return;
	}
	/* not by close(2) alone: a process just started has it as well for a moment, and epoll(7) would go on telling
	 * of a number that is somebody else's by then */
	(void)epoll_ctl(p->poll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

void tls_pool_close(struct tls_pool *p)
{
	p->closed = true;
	forget_idle(p);
}
