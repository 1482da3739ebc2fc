/* A process that starts programs for another: what goes in, what comes out, and how each of the three ends. */
#include "base/broker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/tap.h"

enum { WAIT_MS = 10000 };

static bool is_told(const char *pair)
{
	return strncmp(pair, "TOLD", 4) == 0;
}

/* Descriptor 3 is read, 4 is written. */
static const struct broker_pipe pipes[] = {
	{ .way = BROKER_WE_WRITE, .counted = true, .fd = { 3, 3 } },
	{ .way = BROKER_WE_READ, .fd = { 4, 4 } },
};

static const char *open_shell(struct broker *b, const char *script, int timeout_ms)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	const struct broker_program p = { .argv = argv,
		.pipes = pipes,
		.pipe_count = 2,
		.timeout_ms = timeout_ms,
		.null_log = true,
		.settable = is_told };

	return broker_open(b, &p);
}

struct result {
	struct broker_end end;
	char text[256];
	int64_t took_ms;
	int error; /* errno of start or wait, 0 */
};

static struct result run(struct broker *b, char *const vars[], const char *input)
{
	struct result r = { .error = 0 };
	const int64_t start = clock_ms();
	int ends[2];
	pid_t pid;
	ssize_t n = 0;

	if (broker_start(b, vars, WAIT_MS, ends, &pid) == -1) {
		r.error = errno;
		return r;
	}
	if (write(ends[0], input, strlen(input)) != (ssize_t)strlen(input))
		r.error = EIO;
	close(ends[0]);
	for (size_t have = 0; (n = read(ends[1], r.text + have, sizeof r.text - 1 - have)) > 0;)
		have += (size_t)n;
	close(ends[1]);
	if (broker_wait(b, WAIT_MS, &r.end) == -1)
		r.error = errno;
	r.took_ms = clock_ms() - start;
	return r;
}

static void test_runs(void)
{
	struct broker b;
	struct result r;

	tap_ok(open_shell(&b, "cat <&3 >&4; exit 7", -1) == NULL, "a broker");
	r = run(&b, NULL, "hello");
	tap_ok(r.error == 0 && strcmp(r.text, "hello") == 0, "both pipes reach the program");
	tap_ok(WIFEXITED(r.end.status) && WEXITSTATUS(r.end.status) == 7, "its exit code is told");
	tap_ok(r.end.unread == 0, "it has read everything");
	r = run(&b, NULL, "again");
	tap_ok(r.error == 0 && strcmp(r.text, "again") == 0, "and once more");
	broker_close(&b);
	tap_ok(b.sock == -1 && waitpid(b.pid, NULL, 0) == -1 && errno == ECHILD, "its end was waited for");
	r = run(&b, NULL, "");
	tap_ok(r.error == EPIPE, "then nothing can be started");
}

static void test_environment(void)
{
	char *const told[] = { (char *)"TOLD_B=new", NULL };
	char *const bad[] = { (char *)"LD_PRELOAD=x", NULL };
	struct broker b;
	struct result r;

	setenv("TOLD_A", "old", 1);
	setenv("OTHER", "stays", 1);
	tap_ok(open_shell(&b, "echo \"$TOLD_A,$TOLD_B,$OTHER\" >&4", -1) == NULL, "a broker");
	r = run(&b, NULL, "");
	tap_ok(strcmp(r.text, "old,,stays\n") == 0, "the environment as it is");
	r = run(&b, told, "");
	tap_ok(strcmp(r.text, ",new,stays\n") == 0, "what is told stands instead of all such");
	r = run(&b, bad, "");
	tap_ok(r.error == EPIPE && b.sock == -1, "what may not be told ends the broker");
	waitpid(b.pid, NULL, 0);
}

static void test_unread(void)
{
	struct broker b;
	struct result r;

	tap_ok(open_shell(&b, "exit 0", WAIT_MS) == NULL, "a broker");
	for (int i = 0; i < 20; i++) {
		r = run(&b, NULL, "12345");
		if (r.error != 0 || r.end.unread != 5)
			break;
	}
	tap_ok(r.error == 0 && r.end.unread == 5,
		"what a program leaves unread is counted, however soon it ends");
	broker_close(&b);
	tap_ok(open_shell(&b, "exec 3<&-; exit 0", WAIT_MS) == NULL, "a broker");
	r = run(&b, NULL, "12345");
	tap_ok(r.end.unread == 5, "also if it closes the pipe");
	broker_close(&b);
}

static void test_timeout(void)
{
	struct broker b;
	struct result r;

	/* The pipe stays open in a grandchild, so its end is seen only when the whole group is killed. */
	tap_ok(open_shell(&b, "sleep 100 & sleep 100", 300) == NULL, "a broker");
	r = run(&b, NULL, "");
	tap_ok(r.error == 0 && WIFSIGNALED(r.end.status) && WTERMSIG(r.end.status) == SIGKILL,
		"a program that takes too long is killed");
	tap_ok(r.took_ms >= 300 && r.took_ms < 5000, "in time, with what it has started");
	broker_close(&b);
}

static void test_trouble(void)
{
	char *argv[] = { (char *)"/nonexistent/program", NULL };
	const struct broker_program p = {
		.argv = argv, .pipes = pipes, .pipe_count = 2, .timeout_ms = -1, .settable = is_told
	};
	struct broker b;
	struct result r;

	tap_ok(broker_open(&b, &p) == NULL, "a broker of a program that is missing");
	r = run(&b, NULL, "");
	tap_ok(r.error == ENOENT && b.sock != -1,
		"why it could not be started is told, and the broker stays");
	kill(b.pid, SIGKILL);
	waitpid(b.pid, NULL, 0);
	r = run(&b, NULL, "");
	tap_ok(r.error != 0 && b.sock == -1, "a broker that was killed is given up");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_runs();
	test_environment();
	test_unread();
	test_timeout();
	test_trouble();
	return tap_end();
}
