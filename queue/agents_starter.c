#include "queue/agents_starter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/sigfd.h"
#include "base/spawn.h"
#include "net/pass.h"

enum { QUICK_MS = 10000, PAUSE_MS = 1000, PAUSE_MOST_MS = 60000 };
enum { SOCK = 3, OTHERS = 4, DESCRIPTORS = 1024 };

struct child {
	char *const *argv;
	const char **files;
	pid_t pid; /* 0: it does not run */
	uint32_t generation;
	int pause_ms;     /* before the last start */
	int64_t start_ms; /* when it was, or is to be, started */
};

struct starter {
	struct child child[AGENTS_MAX];
	size_t count;
	uint32_t generation;
	int null, signals;
};

/* ---- starting ------------------------------------------------------------------------------------------ */

/* It leads a group, so that what it has started can be killed with it. */
static void lead_group(pid_t pid, void *arg)
{
	(void)pid;
	(void)arg;
	setpgid(0, 0);
}

/* Errors of exec are told like those of fork: -1 with errno. */
static pid_t run(const struct starter *s, const struct child *c, int sock)
{
	struct spawn how = {
		.files = c->files, .argv = c->argv, .envp = environ, .before_exec = lead_group
	};
	int error = 0;
	pid_t pid;

	spawn_fd(&how, s->null, 0);
	spawn_fd(&how, s->null, 1);
	spawn_fd(&how, sock, AGENT_FD);
	pid = spawn_run(&how, &error);
	if (pid == -1 || error == 0)
		return pid;
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	errno = error;
	return -1;
}

static void tell(const struct child *c, size_t agent, int sock)
{
	const struct agents_started word = { .agent = (uint32_t)agent, .generation = c->generation };
	const struct pass with = { .fd = { sock }, .count = 1 };

	if (pass_send(SOCK, &word, sizeof word, &with, 0) == -1 && errno == EPIPE)
		_exit(0); /* queued has gone */
}

/* After a life that was short, longer and longer. */
static void plan(struct child *c, int64_t now_ms)
{
	const bool quick = now_ms - c->start_ms < QUICK_MS;
	const int longer = c->pause_ms == 0 ? PAUSE_MS : 2 * c->pause_ms;

	c->pid = 0;
	c->pause_ms = !quick ? 0 : longer < PAUSE_MOST_MS ? longer : PAUSE_MOST_MS;
	c->start_ms = now_ms + c->pause_ms;
}

static void start(struct starter *s, size_t agent, int64_t now_ms)
{
	struct child *c = &s->child[agent];
	int pair[2];

	c->start_ms = now_ms;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
		warn("cannot start %s: %s", c->argv[0], errtext(errno));
		plan(c, now_ms);
		return;
	}
	c->generation = ++s->generation;
	c->pid = run(s, c, pair[1]);
	if (c->pid == -1) {
		warn("cannot start %s: %s", c->argv[0], errtext(errno));
		plan(c, now_ms);
	} else {
		tell(c, agent, pair[0]);
	}
	close(pair[0]);
	close(pair[1]);
}

/* Starts whoever is due. Returns when the next one is. */
static int64_t start_due(struct starter *s)
{
	const int64_t now_ms = clock_ms();
	int64_t next_ms = CLOCK_NEVER;

	for (size_t i = 0; i < s->count; i++) {
		if (s->child[i].pid == 0 && s->child[i].start_ms <= now_ms)
			start(s, i, now_ms);
		if (s->child[i].pid == 0 && s->child[i].start_ms < next_ms)
			next_ms = s->child[i].start_ms;
	}
	return next_ms;
}

/* ---- ends ---------------------------------------------------------------------------------------------- */

static void say_end(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		warn("%s was killed by signal %d", c->argv[0], WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		warn("%s has ended with code %d", c->argv[0], WEXITSTATUS(status));
}

static void reap(struct starter *s)
{
	int status;
	pid_t pid;

	while (sigfd_next(s->signals) != 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < s->count; i++)
			if (s->child[i].pid == pid) {
				say_end(&s->child[i], status);
				plan(&s->child[i], clock_ms());
			}
}

static void obey(const struct starter *s)
{
	uint32_t generation;

	if (recv(SOCK, &generation, sizeof generation, 0) != (ssize_t)sizeof generation)
		_exit(0); /* queued has gone; agents see that too */
	for (size_t i = 0; i < s->count; i++)
		if (s->child[i].pid > 0 && s->child[i].generation == generation) {
			kill(-s->child[i].pid, SIGKILL);
			kill(s->child[i].pid, SIGKILL); /* it may lead another group by now */
		}
}

/* ---- beginning ----------------------------------------------------------------------------------------- */

/* Nothing that queued has is ours: whoever waits for its end would wait for us, and for our agents. */
static int settle(int sock)
{
	if (sock != SOCK && dup3(sock, SOCK, O_CLOEXEC) == -1)
		return -1;
	if (syscall(SYS_close_range, (unsigned)OTHERS, ~0U, 0) == -1)
		for (int fd = OTHERS; fd < DESCRIPTORS; fd++)
			close(fd);
	return 0;
}

static int init(struct starter *s, const struct agents_options *o)
{
	static const int child[] = { SIGCHLD };
	sigset_t all;

	/* Those of a terminal are meant for queued, which waits for what runs. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	s->signals = sigfd_open(child, 1);
	s->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	s->count = o->count;
	for (size_t i = 0; i < o->count; i++) {
		s->child[i].argv = o->commands[i];
		s->child[i].files = spawn_search(o->commands[i][0], getenv("PATH"));
		if (s->child[i].files == NULL)
			return -1;
	}
	return s->signals == -1 || s->null == -1 ? -1 : 0;
}

_Noreturn void agents_starter(const struct agents_options *o, int sock)
{
	static struct starter s;
	struct pollfd p[] = { { .fd = SOCK, .events = POLLIN }, { .events = POLLIN } };

	if (settle(sock) == -1 || init(&s, o) == -1)
		_exit(EXIT_TEMPORARY);
	p[1].fd = s.signals;
	for (;;) {
		const int64_t next_ms = start_due(&s);

		if (poll(p, 2, clock_left_ms(next_ms)) == -1 && errno != EINTR)
			_exit(EXIT_TEMPORARY);
		if (p[1].revents != 0)
			reap(&s);
		if (p[0].revents != 0)
			obey(&s);
	}
}
