/* The process that starts programs: it can do that and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/broker_packets.h"
#include "base/clock.h"
#include "base/env_block.h"
#include "base/spawn.h"

enum { PROGRAM, US, ENDS };

/* One run of the program. */
struct run {
	int pipes[BROKER_PIPES][ENDS];
	int counted; /* a pipe whose end of the program we keep until it has ended, or -1 */
	int64_t deadline_ms;
};

static void shut(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void shut_all(struct run *run, int keep)
{
	for (int i = 0; i < BROKER_PIPES; i++) {
		shut(&run->pipes[i][US]);
		if (i != keep)
			shut(&run->pipes[i][PROGRAM]);
	}
}

static int open_pipe(const struct broker_pipe *p, int ends[ENDS])
{
	const bool we_write = p->way == BROKER_WE_WRITE;
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) == -1)
		return -1;
	ends[PROGRAM] = pair[we_write ? 0 : 1];
	ends[US] = pair[we_write ? 1 : 0];
	/* Of the two ends only ours does not block: those are flags of an end, not of the pipe. */
	return we_write ? fcntl(ends[US], F_SETFL, O_NONBLOCK) : 0;
}

static int open_pipes(const struct broker_program *p, struct run *run)
{
	for (int i = 0; i < BROKER_PIPES; i++)
		run->pipes[i][PROGRAM] = run->pipes[i][US] = -1;
	run->counted = -1;
	for (size_t i = 0; i < p->pipe_count; i++) {
		if (open_pipe(&p->pipes[i], run->pipes[i]) == -1)
			return -1;
		if (p->pipes[i].counted)
			run->counted = (int)i;
	}
	return 0;
}

static void lead_group(pid_t pid, void *arg)
{
	(void)pid;
	(void)arg;
	setpgid(0, 0);
}

static pid_t start(const struct broker_program *p, const char *const *files, char *const envp[],
	const struct run *run, int *error)
{
	struct spawn s = { .files = files, .argv = p->argv, .envp = envp };
	pid_t pid;

	if (p->timeout_ms != -1)
		s.before_exec = lead_group; /* so that what it leaves behind can be killed with it */
	for (size_t i = 0; i < p->pipe_count; i++)
		for (int j = 0; j < BROKER_PIPE_FDS; j++)
			if (j == 0 || p->pipes[i].fd[j] != p->pipes[i].fd[0])
				spawn_fd(&s, run->pipes[i][PROGRAM], p->pipes[i].fd[j]);
	pid = spawn_run(&s, error);
	if (pid == -1)
		*error = errno;
	return pid;
}

static int send_report(int sock, const struct broker_report *r, const int *ends, size_t count)
{
	struct iovec iov = { .iov_base = (void *)r, .iov_len = sizeof *r };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(BROKER_PIPES * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (count > 0) {
		m.msg_control = control;
		/* socklen_t or size_t: the C libraries differ */
		m.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof *ends);
		c = CMSG_FIRSTHDR(&m);
		if (c == NULL)
			return -1;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof *ends);
		memcpy(CMSG_DATA(c), ends, count * sizeof *ends);
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL) == -1 ? -1 : 0;
}

static int reap(pid_t pid, int *status)
{
	pid_t got;

	do
		got = waitpid(pid, status, 0);
	while (got == -1 && errno == EINTR);
	return got == pid ? 0 : -1;
}

/* SIGCHLD is blocked: one that comes between the look and the wait is not lost. */
static void reap_until(pid_t pid, int64_t deadline_ms, int *status)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (waitpid(pid, status, WNOHANG) == 0) {
		const int left = clock_left_ms(deadline_ms);
		const struct timespec span = { left / 1000, left % 1000 * 1000000L };

		if (left > 0 && (sigtimedwait(&child, NULL, &span) != -1 || errno == EINTR))
			continue;
		if (clock_left_ms(deadline_ms) > 0)
			continue;
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL); /* it may lead another group by now */
		(void)reap(pid, status);
		return;
	}
}

/* What was written and not read, once the writer has closed its end. */
static size_t count_unread(int fd, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd };
	int n = 0;

	while ((p.revents & POLLHUP) == 0)
		if (poll(&p, 1, clock_left_ms(deadline_ms)) == 0)
			break;
	return ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* Runs the program once. It holds the only ends on its side and the caller those on the other (but for a counted
 * pipe): if either dies the other sees it. */
static int run_once(const struct broker_program *p, const char *const *files, char *const envp[], int sock)
{
	struct broker_report r = { .error = 0 };
	struct run run = { .deadline_ms = CLOCK_NEVER };
	int ours[BROKER_PIPES] = { 0 }, sent;

	if (p->timeout_ms != -1)
		run.deadline_ms = clock_ms() + p->timeout_ms;
	if (open_pipes(p, &run) == -1) {
		r.error = errno;
		shut_all(&run, -1);
		return send_report(sock, &r, NULL, 0);
	}
	r.pid = start(p, files, envp, &run, &r.error);
	for (size_t i = 0; i < p->pipe_count; i++)
		ours[i] = run.pipes[i][US];
	sent = send_report(sock, &r, ours, r.error == 0 ? p->pipe_count : 0);
	shut_all(&run, run.counted);
	if (r.pid != -1 && p->timeout_ms == -1)
		(void)reap(r.pid, &r.status);
	else if (r.pid != -1)
		reap_until(r.pid, run.deadline_ms, &r.status);
	if (run.counted != -1) {
		if (sent == 0 && r.error == 0)
			r.unread = count_unread(run.pipes[run.counted][PROGRAM], run.deadline_ms);
		shut(&run.pipes[run.counted][PROGRAM]);
	}
	if (sent == -1 || r.error != 0)
		return sent;
	return send_report(sock, &r, NULL, 0);
}

/* Our own environment with theirs in place of what is settable. NULL: something else is among them. */
static char **merge(const struct broker_program *p, struct broker_request *q, size_t n)
{
	enum { VARS = 2 * ENV_BLOCK_VARS };
	static char *vector[VARS + 1];
	size_t count = 0;

	if (!env_block_decode(q->block, n, vector))
		return NULL;
	for (; vector[count] != NULL; count++)
		if (!p->settable(vector[count]))
			return NULL;
	for (char **v = environ; *v != NULL; v++)
		if (!p->settable(*v) && count < VARS)
			vector[count++] = *v;
	vector[count] = NULL;
	return vector;
}

static char **environment(const struct broker_program *p, struct broker_request *q, ssize_t n)
{
	if (n == 1 && q->kind == 'r')
		return environ;
	return n > 1 && q->kind == 'e' ? merge(p, q, (size_t)n - 1) : NULL;
}

static void block_child_signal(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
}

_Noreturn void broker_main(const struct broker_program *p, const char *const *files, int sock)
{
	static struct broker_request q;
	char **envp;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* The connection is not ours: while we held it the client would not see its end. */
	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 ||
		(p->null_log && dup2(null, 2) == -1))
		_exit(1);
	/* Nor is what our caller keeps from its programs: its server would not see its end. */
	for (int fd = 3; fd < sock; fd++)
		if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0)
			close(fd); /* or it is not open: nothing happens */
	if (p->timeout_ms != -1)
		block_child_signal();
	while ((envp = environment(p, &q, recv(sock, &q, sizeof q, 0))) != NULL)
		if (run_once(p, files, envp, sock) == -1)
			break;
	_exit(0);
}
