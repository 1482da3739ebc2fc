/* serve [-w] [-p PORT] LOG SERVER [ARG ...] -- LOAD [ARG ...] - a server, a load on it, and what it cost.
 *
 * The server prints its port on descriptor 1 when it is ready (-1 of tcpserver); with -p we wait until PORT
 * takes connections. The word PORT in the load's arguments, also behind a colon, becomes that port, and PID
 * the server's number. What the server says on descriptor 2 is a pipe that a process of ours copies to the
 * file LOG, as a logger would.
 * With -w the load runs twice, and the first run does not count: processes that stay have been started by then.
 *
 * Prints three numbers: seconds that the load took; CPU seconds of the server and all that it started; 0. The load
 * and the logger are not in it. The kernel counts (perf_event_open(2), which all descendants inherit), since wait4(2)
 * says nothing of a process whose parent ignores SIGCHLD, as the sessions of tls(8). Where that is not allowed we
 * count by wait4: the second number is then the server and all it has waited for, the third what outlived its
 * parent, of which we are the reaper; and of -w, both runs halved.
 */
#include "bench.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { GRACE_MS = 500, NAP_MS = 5 };

struct parties {
	pid_t load, logger;
	double server_cpu, orphan_cpu;
};

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static pid_t start(char **argv)
{
	pid_t pid;

	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno != 0)
		fail(argv[0]);
	return pid;
}

/* ---- what the server and all its descendants use -------------------------------------------------------- */

/* -1: the kernel does not say. */
static int open_clock(pid_t pid)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE,
		.size = sizeof a,
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.inherit = 1 };

	return (int)syscall(SYS_perf_event_open, &a, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static double read_clock(int clock)
{
	uint64_t ns = 0;

	if (clock != -1 && read(clock, &ns, sizeof ns) != (ssize_t)sizeof ns)
		fail("read of a clock");
	return (double)ns / 1e9;
}

/* It begins when the clock does. */
static pid_t start_server(char **argv, int out, int log, int *clock)
{
	int go[2];
	char byte;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		fail("fork");
	if (pid == 0) {
		close(go[1]);
		if (dup2(out, 1) == -1 || dup2(log, 2) == -1 || read(go[0], &byte, 1) != 0)
			_exit(1);
		execvp(argv[0], argv);
		_exit(1);
	}
	*clock = open_clock(pid);
	close(go[0]);
	close(go[1]);
	return pid;
}

static pid_t server; /* whatever ends us, it shall not live on */

static void stop_server(void)
{
	if (server > 0)
		kill(server, SIGTERM);
}

static void on_alarm(int sig)
{
	(void)sig;
	stop_server();
	_exit(1);
}

static bool has_children(pid_t pid)
{
	char path[64], text[16];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return true; /* this kernel does not tell */
	n = read(fd, text, sizeof text);
	close(fd);
	return n > 0;
}

/* A program that has closed its connection is about to end: its parent shall wait for it, not we. */
static void let_server_reap(void)
{
	for (int waited = 0; waited < GRACE_MS && has_children(server); waited += NAP_MS)
		sleep_ms(NAP_MS);
}

/* Returns the end that is written to. */
static int start_logger(const char *file, pid_t *pid)
{
	static char block[64 * 1024];
	int ends[2], to = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n;

	if (to == -1 || pipe2(ends, O_CLOEXEC) == -1)
		fail(file);
	*pid = fork();
	if (*pid == -1)
		fail("fork");
	if (*pid == 0) {
		close(ends[1]);
		while ((n = read(ends[0], block, sizeof block)) > 0)
			if (write(to, block, (size_t)n) != n)
				_exit(1);
		_exit(0);
	}
	close(ends[0]);
	close(to);
	return ends[1];
}

static void read_port(int fd, char *port, size_t cap)
{
	ssize_t n = read(fd, port, cap - 1);

	if (n <= 0 || port[n - 1] != '\n')
		give_up("the server did not start: see its log");
	port[n - 1] = '\0';
}

static void await_port(const char *port)
{
	const struct sockaddr_in to = loopback(port);

	for (int i = 0; i < 500; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bool there = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0;

		close(fd);
		if (there)
			return;
		sleep_ms(10);
	}
	give_up("the server did not start: see its log");
}

/* In arguments that end in word. */
static void put(char **argv, const char *word, const char *value)
{
	const size_t len = strlen(word);

	for (; *argv != NULL; argv++) {
		size_t n = strlen(*argv);
		char *text;

		if (n < len || strcmp(*argv + n - len, word) != 0)
			continue;
		if (asprintf(&text, "%.*s%s", (int)(n - len), *argv, value) == -1)
			fail("asprintf");
		*argv = text;
	}
}

/* Waits for children, and those that became ours, until pid (-1: all) has ended. */
static int reap_until(struct parties *p, pid_t pid)
{
	for (;;) {
		struct rusage used;
		int status;
		pid_t ended = wait4(-1, &status, 0, &used);

		if (ended == -1)
			return 0;
		if (ended == server)
			p->server_cpu += cpu_s(&used);
		else if (ended != p->load && ended != p->logger)
			p->orphan_cpu += cpu_s(&used);
		if (ended == pid)
			return status;
	}
}

static const char usage[] = "usage: serve [-w] [-p port] log server [arg ...] -- load [arg ...]";

/* Ends the server's words where the load's begin. */
static char **split(char **server_words)
{
	char **at = server_words;

	while (*at != NULL && strcmp(*at, "--") != 0)
		at++;
	if (at == server_words || at[0] == NULL || at[1] == NULL)
		give_up(usage);
	*at = NULL;
	return at + 1;
}

/* Returns the seconds that it took. */
static double run_load(struct parties *p, char **load)
{
	const double began = now_s();

	p->load = start(load);
	if (reap_until(p, p->load) != 0)
		give_up("the load failed");
	return now_s() - began;
}

int main(int argc, char **argv)
{
	struct parties p = { .load = -1 };
	char port[16] = "", pid[16];
	char **load;
	int ready[2], log, clock, runs = 1;
	double took = 0, before = 0, used;

	if (argc > 1 && strcmp(argv[1], "-w") == 0) {
		runs = 2;
		argc--;
		argv++;
	}
	if (argc > 3 && strcmp(argv[1], "-p") == 0) {
		snprintf(port, sizeof port, "%s", argv[2]);
		argv += 2;
	}
	if (argv[1] == NULL)
		give_up(usage);
	load = split(argv + 2);
	signal(SIGALRM, on_alarm);
	alarm(PATIENCE_S + 10); /* the load gives up first, and says why */
	if (atexit(stop_server) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) == -1 ||
		pipe2(ready, O_CLOEXEC) == -1)
		fail("set up");
	log = start_logger(argv[1], &p.logger);
	server = start_server(argv + 2, ready[1], log, &clock);
	close(ready[1]);
	close(log);
	if (port[0] != '\0')
		await_port(port);
	else
		read_port(ready[0], port, sizeof port);
	snprintf(pid, sizeof pid, "%ld", (long)server);
	put(load, "PORT", port);
	put(load, "PID", pid);

	for (int i = 0; i < runs; i++) {
		before = i == 0 ? 0 : read_clock(clock); /* without -w its start is in it */
		took = run_load(&p, load);
		let_server_reap();
	}
	used = read_clock(clock) - before;
	stop_server();
	reap_until(&p, -1);
	server = 0; /* the number may be somebody else's soon */
	if (clock != -1)
		printf("%.6f %.6f 0\n", took, used);
	else
		printf("%.6f %.6f %.6f\n", took, p.server_cpu / runs, p.orphan_cpu / runs);
	return 0;
}
