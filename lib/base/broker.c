/* The side that asks. */
#include "base/broker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/broker_packets.h"
#include "base/env_block.h"
#include "base/spawn.h"

const char *broker_open(struct broker *b, const struct broker_program *p)
{
	const char **files = spawn_search(p->argv[0], getenv("PATH"));
	int pair[2];

	*b = (struct broker){ .sock = -1, .pid = -1, .pipe_count = p->pipe_count };
	if (files == NULL)
		return "no memory for a broker";
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
		free(files);
		return "no socket for a broker";
	}
	b->pid = fork();
	if (b->pid == 0) {
		close(pair[0]);
		broker_main(p, files, pair[1]);
	}
	close(pair[1]);
	free(files);
	if (b->pid == -1) {
		close(pair[0]);
		return "no process for a broker";
	}
	b->sock = pair[0];
	return NULL;
}

void broker_give_up(struct broker *b)
{
	if (b->sock != -1)
		close(b->sock);
	b->sock = -1;
}

void broker_close(struct broker *b)
{
	if (b->sock == -1)
		return; /* given up: it may still wait for its program */
	broker_give_up(b);
	while (waitpid(b->pid, NULL, 0) == -1 && errno == EINTR)
		;
}

static int send_request(const struct broker *b, char *const vars[])
{
	static struct broker_request q;
	ssize_t n;

	if (vars == NULL)
		return send(b->sock, "r", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
	q.kind = 'e';
	n = env_block_encode(vars, q.block, sizeof q.block);
	if (n == -1)
		return -1;
	n = send(b->sock, &q, (size_t)n + 1, MSG_NOSIGNAL);
	memset(&q, 0, n == -1 ? sizeof q : (size_t)n); /* it is the client's */
	return n == -1 ? -1 : 0;
}

static int await(int sock, int timeout_ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int ready;

	do
		ready = poll(&p, 1, timeout_ms);
	while (ready == -1 && errno == EINTR);
	if (ready == 0)
		errno = ETIMEDOUT;
	return ready > 0 ? 0 : -1;
}

/* ends may be NULL. */
static int read_report(const struct broker *b, int timeout_ms, struct broker_report *r, int *ends)
{
	struct iovec iov = { .iov_base = r, .iov_len = sizeof *r };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(BROKER_PIPES * sizeof(int))];
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
	};
	const struct cmsghdr *c;
	ssize_t n;

	do
		n = await(b->sock, timeout_ms) == -1 ? -1 : recvmsg(b->sock, &m, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof *r) {
		if (n != -1)
			errno = EPIPE;
		return -1;
	}
	c = CMSG_FIRSTHDR(&m);
	if (ends != NULL && r->error == 0) {
		if (c == NULL || c->cmsg_len != CMSG_LEN(b->pipe_count * sizeof *ends)) {
			errno = EPROTO;
			return -1;
		}
		memcpy(ends, CMSG_DATA(c), b->pipe_count * sizeof *ends);
	}
	return 0;
}

static int lost(struct broker *b)
{
	const int saved = errno;

	broker_give_up(b);
	errno = saved;
	return -1;
}

int broker_start(struct broker *b, char *const vars[], int timeout_ms, int ends[], pid_t *pid)
{
	struct broker_report r = { .error = 0 };

	if (b->sock == -1) {
		errno = EPIPE;
		return -1;
	}
	if (send_request(b, vars) == -1 || read_report(b, timeout_ms, &r, ends) == -1)
		return lost(b);
	*pid = r.pid;
	if (r.error == 0)
		return 0;
	errno = r.error;
	return -1;
}

int broker_wait(struct broker *b, int timeout_ms, struct broker_end *end)
{
	struct broker_report r = { .error = 0 };

	if (b->sock == -1) {
		errno = EPIPE;
		return -1;
	}
	if (read_report(b, timeout_ms, &r, NULL) == -1)
		return lost(b);
	*end = (struct broker_end){ .status = r.status, .unread = r.unread };
	return 0;
}
