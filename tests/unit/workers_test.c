/* Workers over real socket pairs: this process is the server, forked children play the programs. */
#include "tcpserver/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/resident.h"
#include "tests/unit/tap.h"

static char *first_env[] = { "RESIDENT=3", "RESIDENT_MAX=3", "TCPREMOTEIP=192.0.2.1", "RELAYCLIENT=", "A=b",
	NULL };

/* ---- the program: a word says what it does with each connection ------------------------------------------ */

static void obey(const char *word)
{
	const char *ip = getenv("TCPREMOTEIP");

	if (word[0] == 'e') { /* tell the environment */
		dprintf(1, "%s %s %s", ip != NULL ? ip : "-", getenv("RELAYCLIENT") != NULL ? "relay" : "-",
			resident_same_place() ? "same" : "other");
	} else if (word[0] == 'x') { /* crash */
		abort();
	}
}

static _Noreturn void program(void)
{
	struct resident r;

	if (!resident_open(&r))
		_exit(70);
	for (;;) {
		char word[8] = "";
		const ssize_t n = read(0, word, sizeof word - 1);

		if (n > 0 && word[0] == 'b') {
			resident_back(&r);
			_exit(71);
		}
		if (n > 0 && word[0] == 'p') /* a packet that nobody knows */
			(void)!send(RESIDENT_FD, "?", 1, 0);
		if (n > 0 && word[0] == 't') { /* takes another's socket for ours */
			int pair[2];

			if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1 ||
				pass_send(RESIDENT_FD, "B", 1, &(struct pass){ { pair[0] }, 1 }, 0) == -1)
				_exit(72);
		}
		if (n > 0)
			obey(word);
		if (!resident_next(&r, n > 0 ? word[1] - '0' : 9))
			_exit(n > 0 ? word[1] - '0' : 9);
	}
}

static pid_t start_child(int connection, int control)
{
	const pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (dup2(connection, 0) == -1 || dup2(connection, 1) == -1)
		_exit(73);
	if (control != RESIDENT_FD && dup2(control, RESIDENT_FD) == -1)
		_exit(73);
	for (int fd = RESIDENT_FD + 1; fd < 64; fd++)
		close(fd);
	if (setenv("RESIDENT", "3", 1) == -1)
		_exit(73);
	environ = first_env;
	for (size_t i = 0; first_env[i] != NULL; i++) /* the kernel gives memory that can be wiped */
		first_env[i] = strdup(first_env[i]);
	program();
}

/* ---- the server ------------------------------------------------------------------------------------------ */

static int client = -1; /* our end of the connection at hand */

static int connection(void)
{
	int pair[2];

	if (client != -1)
		close(client);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	client = pair[0];
	return pair[1];
}

static int start(struct workers *w)
{
	struct spawn s = { .fds = 0 };
	const int control = workers_prepare(w, &s), fd = connection();
	pid_t pid;

	if (control == -1 || s.fds != 1 || s.to[0] != RESIDENT_FD)
		abort();
	fflush(stdout);
	pid = start_child(fd, s.from[0]);
	close(fd);
	return workers_started(w, control, pid);
}

static void say(const char *word)
{
	if (write(client, word, strlen(word)) == -1)
		abort();
}

/* Its answer, up to the end of the connection. */
static const char *hear(void)
{
	static char text[256];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof text - 1 && (got = read(client, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return text;
}

static enum worker_event next_event(struct workers *w, int worker, struct worker_report *r)
{
	struct pollfd p = { .fd = workers_fd(w, worker), .events = POLLIN };

	if (poll(&p, 1, 10000) != 1)
		abort();
	return workers_read(w, worker, r);
}

static int reap(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static char *const second_env[] = { "A=b", "TCPREMOTEIP=192.0.2.2", "RESIDENT_MAX=3", "RESIDENT=3", NULL };
static char *const other_env[] = { "A=c", "TCPREMOTEIP=192.0.2.3", "RESIDENT_MAX=3", "RESIDENT=3", NULL };

static int hand_over(struct workers *w, char *const *env)
{
	const int fd = connection();
	const struct pass p = { .fd = { fd }, .count = 1 };
	const int worker = workers_hand_over(w, &p, env);

	close(fd);
	return worker;
}

static void test_three_connections(void)
{
	struct workers w;
	struct worker_report r;
	pid_t pid;
	int worker;

	tap_ok(workers_init(&w, 1, 3, 4) == 0 && sizeof(struct worker) <= 48,
		"a worker has 48 bytes at most");
	worker = start(&w);
	pid = workers_pid(&w, worker);
	tap_ok(workers_read(&w, worker, &r) == WORKER_NOTHING, "nothing yet");
	tap_ok(hand_over(&w, second_env) == -1, "a busy worker is handed nothing");
	worker = start(&w);
	tap_ok(worker == 1, "the second worker");
	say("e7");
	tap_same(hear(), "192.0.2.1 relay same", "the first connection has the first environment");
	tap_ok(next_event(&w, worker, &r) == WORKER_DONE && r.exit_code == 7 && r.was_busy &&
			r.pid == workers_pid(&w, worker),
		"done, with its exit code");
	tap_ok(next_event(&w, 0, &r) == WORKER_DONE && r.exit_code == 9 && r.pid == pid,
		"the other one is done as well");
	tap_ok(w.idle_count == 1 && reap(pid) == 9 << 8, "one may be idle: the other one ends");

	tap_ok(hand_over(&w, second_env) == worker, "the next connection goes to the idle one");
	say("e0");
	tap_same(hear(), "192.0.2.2 - same", "with its own environment, and nothing of the former one");
	tap_ok(next_event(&w, worker, &r) == WORKER_DONE && r.exit_code == 0, "done again");
	pid = workers_pid(&w, worker);
	tap_ok(hand_over(&w, other_env) == worker, "the third one");
	say("e5");
	tap_same(hear(), "192.0.2.3 - other", "another variable is another place");
	tap_ok(reap(pid) == 5 << 8, "the bound: it ends by itself, with the last exit code");
	tap_ok(workers_reaped(&w, worker, 5 << 8, &r) == WORKER_CLOSED && !r.unaware,
		"and that is its session's");
	tap_ok(w.idle_count == 0 && hand_over(&w, second_env) == -1, "nobody is left");
	workers_free(&w);
}

static void test_back(void)
{
	struct workers w;
	struct worker_report r;
	pid_t pid;
	int worker;

	if (workers_init(&w, 2, 100, 4) == -1)
		abort();
	worker = start(&w);
	say("e0");
	tap_ok(next_event(&w, worker, &r) == WORKER_DONE, "a worker");
	pid = workers_pid(&w, worker);
	worker = hand_over(&w, second_env);
	say("b0");
	tap_ok(next_event(&w, worker, &r) == WORKER_BACK && r.came.count == 1 && r.was_busy && r.pid == pid,
		"it gives the connection back");
	if (r.came.count == 1) {
		char c = 0;

		tap_ok((fcntl(r.came.fd[0], F_GETFD) & FD_CLOEXEC) != 0 &&
				write(r.came.fd[0], "!", 1) == 1 && recv(client, &c, 1, 0) == 1 && c == '!',
			"it is the connection, close-on-exec");
		close(r.came.fd[0]);
	}
	tap_ok(reap(pid) == 71 << 8, "and ends");

	worker = start(&w);
	pid = workers_pid(&w, worker);
	say("b0");
	tap_ok(next_event(&w, worker, &r) == WORKER_CLOSED && r.came.count == 0,
		"the first one never comes back");
	tap_ok(workers_reaped(&w, worker, reap(pid), &r) == WORKER_CLOSED, "its session ends as it does");

	worker = start(&w);
	say("e0");
	(void)next_event(&w, worker, &r);
	pid = workers_pid(&w, worker);
	worker = hand_over(&w, second_env);
	say("t0");
	tap_ok(next_event(&w, worker, &r) == WORKER_CLOSED && r.came.count == 0, "nor does another socket");
	tap_ok(workers_fd(&w, worker) == -1 && workers_pid(&w, worker) == pid && r.was_busy,
		"its entry waits for its process");
	tap_ok(workers_reaped(&w, worker, reap(pid), &r) == WORKER_CLOSED && workers_pid(&w, worker) == 0,
		"and is free then");
	workers_free(&w);
}

static void test_deaths(void)
{
	struct workers w;
	struct worker_report r;
	pid_t pid;
	int worker, status, other;

	if (workers_init(&w, 2, 100, 2) == -1)
		abort();
	worker = start(&w);
	pid = workers_pid(&w, worker);
	say("x0");
	status = reap(pid);
	tap_ok(WIFSIGNALED(status) && workers_reaped(&w, worker, status, &r) == WORKER_CLOSED && !r.unaware,
		"a crash is the end of one session");

	worker = start(&w);
	pid = workers_pid(&w, worker);
	say("p0");
	tap_ok(next_event(&w, worker, &r) == WORKER_CLOSED && r.was_busy,
		"an unknown packet ends the talk");
	tap_ok(workers_reaped(&w, worker, reap(pid), &r) == WORKER_CLOSED, "not the session");

	worker = start(&w);
	say("e4");
	(void)hear();
	tap_ok(next_event(&w, worker, &r) == WORKER_DONE, "an idle one");
	other = start(&w);
	say("e4");
	tap_ok(next_event(&w, other, &r) == WORKER_DONE && w.idle_count == 2, "and another");
	pid = workers_pid(&w, other);
	kill(pid, SIGKILL);
	(void)reap(pid);
	tap_ok(hand_over(&w, second_env) == worker && w.idle_count == 0, "a dead one is passed over");
	say("e0");
	tap_same(hear(), "192.0.2.2 - same", "the living one serves");
	tap_ok(next_event(&w, worker, &r) == WORKER_DONE && w.idle_count == 1, "and is idle again");
	pid = workers_pid(&w, worker);
	kill(pid, SIGKILL);
	(void)reap(pid);
	tap_ok(next_event(&w, worker, &r) == WORKER_CLOSED && !r.was_busy && w.idle_count == 0,
		"the death of an idle one concerns no session");

	worker = start(&w);
	pid = workers_pid(&w, worker);
	say("e3");
	(void)hear();
	struct pollfd p = { .fd = workers_fd(&w, worker), .events = POLLIN };
	tap_ok(poll(&p, 1, 10000) == 1, "it has said that it is done");
	kill(pid, SIGKILL);
	status = reap(pid);
	tap_ok(workers_reaped(&w, worker, status, &r) == WORKER_DONE && r.exit_code == 3 &&
			w.idle_count == 0,
		"said before it died: its session was complete");

	worker = start(&w);
	say("e0");
	(void)next_event(&w, worker, &r);
	pid = workers_pid(&w, worker);
	other = start(&w);
	workers_retire(&w);
	tap_ok(w.idle_count == 0 && reap(pid) == 0, "idle ones retire at once");
	pid = workers_pid(&w, other);
	say("e2");
	tap_ok(next_event(&w, other, &r) == WORKER_DONE && r.exit_code == 2 && w.idle_count == 0 &&
			reap(pid) == 2 << 8,
		"busy ones after their session");
	workers_free(&w);
}

static void test_unaware(void)
{
	struct workers w;
	struct worker_report r;
	struct spawn s = { .fds = 0 };
	int worker;

	if (workers_init(&w, 2, 100, 1) == -1)
		abort();
	worker = workers_started(&w, workers_prepare(&w, &s), 12345678);
	tap_ok(workers_reaped(&w, worker, 1 << 8, &r) == WORKER_CLOSED && !r.unaware,
		"a failure is no sign");
	s.fds = 0;
	worker = workers_started(&w, workers_prepare(&w, &s), 12345678);
	tap_ok(workers_reaped(&w, worker, 0, &r) == WORKER_CLOSED && r.unaware,
		"a program that does not know");
	s.fds = 0;
	worker = workers_started(&w, workers_prepare(&w, &s), 12345678);
	tap_ok(workers_reaped(&w, worker, 0, &r) == WORKER_CLOSED && !r.unaware, "is told of once");
	for (int i = 0; i < 3; i++) {
		s.fds = 0;
		tap_ok(workers_started(&w, workers_prepare(&w, &s), 12345678) == i, "a worker");
	}
	s.fds = 0;
	tap_ok(workers_started(&w, workers_prepare(&w, &s), 12345678) == -1,
		"the table is full: started without");
	s.fds = 0;
	tap_ok(workers_started(&w, workers_prepare(&w, &s), -1) == -1 && w.theirs == -1,
		"nor without a process");
	workers_free(&w);
}

/* ---- packets --------------------------------------------------------------------------------------------- */

static void test_blocks(void)
{
	enum { FULL = RESIDENT_VARS * sizeof "A=" };
	static char block[RESIDENT_BLOCK], *vector[RESIDENT_VARS + 1], *many[RESIDENT_VARS + 2];
	static char large[RESIDENT_BLOCK];
	char *pair[] = { large, NULL };
	static const struct {
		const char *text;
		size_t n;
		bool good;
	} table[] = {
		{ "A=b", 4, true },
		{ "A=b\0C=", 7, true },
		{ "A=b=c", 6, true },
		{ "A=b", 3, false }, /* no NUL */
		{ "", 0, false },
		{ "", 1, false }, /* no name */
		{ "=b", 3, false },
		{ "Ab", 3, false },
		{ "A=b\0\0C=d", 9, false },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		memcpy(block, table[i].text, table[i].n);
		tap_ok(resident_decode(block, table[i].n, vector) == table[i].good, "a block");
	}
	tap_ok(vector[0] == NULL, "of a bad one nothing is left");
	tap_ok(resident_encode((char *const[]){ NULL }, block, sizeof block) == -1 && errno == E2BIG,
		"an empty environment would be an end of file");
	memset(large, 'x', sizeof large - 1);
	large[1] = '=';
	tap_ok(resident_encode(pair, block, sizeof block) == RESIDENT_BLOCK &&
			resident_decode(block, sizeof block, vector),
		"the largest block");
	tap_ok(resident_encode(pair, block, sizeof block - 1) == -1, "and one byte more");
	for (size_t i = 0; i <= RESIDENT_VARS; i++)
		many[i] = "A=";
	tap_ok(resident_encode(many, block, sizeof block) == -1, "more variables than anybody takes");
	many[RESIDENT_VARS] = NULL;
	tap_ok(resident_encode(many, block, sizeof block) == FULL && resident_decode(block, FULL, vector) &&
			vector[RESIDENT_VARS] == NULL,
		"as many as fit");
	memcpy(block + FULL, "A=", sizeof "A=");
	tap_ok(!resident_decode(block, FULL + sizeof "A=", vector), "and one more");
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void send_rights(int fd, size_t count)
{
	struct iovec iov = { .iov_base = "B", .iov_len = 1 };
	_Alignas(struct cmsghdr) char rights[CMSG_SPACE(4 * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = rights,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	if (sendmsg(fd, &m, 0) != 1) /* descriptor 0, count times */
		abort();
}

static void test_packets(void)
{
	const struct pass one = { .count = 1 }; /* descriptor 0 */
	struct pass came;
	int pair[2], before;
	char text[4];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
		abort();
	before = count_fds();
	send_rights(pair[0], 4);
	tap_ok(pass_receive(pair[1], text, sizeof text, &came, MSG_CMSG_CLOEXEC) == -1 && errno == EPROTO &&
			came.count == 0 && count_fds() == before,
		"four descriptors: refused, and closed");
	send_rights(pair[0], 3);
	tap_ok(pass_receive(pair[1], text, sizeof text, &came, MSG_CMSG_CLOEXEC) == 1 && came.count == 3 &&
			count_fds() == before + 3,
		"three: taken");
	pass_close(&came);
	tap_ok(pass_send(pair[0], "12345", 5, &one, 0) == 0 &&
			pass_receive(pair[1], text, sizeof text, &came, MSG_CMSG_CLOEXEC) == -1 &&
			errno == EPROTO && came.count == 0 && count_fds() == before,
		"a packet that is cut, and its descriptor is closed");
	tap_ok(pass_send(pair[0], "1234", 4, &one, 0) == 0 &&
			pass_receive(pair[1], text, sizeof text, &came, MSG_CMSG_CLOEXEC) == 4 &&
			came.count == 1 && came.fd[0] > 2,
		"one that fits");
	pass_close(&came);
	tap_ok(pass_receive(pair[1], text, sizeof text, &came, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) == -1 &&
			errno == EAGAIN,
		"none is waiting");
	close(pair[0]);
	tap_ok(pass_receive(pair[1], text, sizeof text, &came, MSG_CMSG_CLOEXEC) == 0, "the end");
	tap_ok(pass_send(pair[1], "x", 1, NULL, 0) == -1 && errno == EPIPE, "nobody there, and no signal");
	close(pair[1]);
}

int main(void)
{
	test_blocks();
	test_packets();
	test_three_connections();
	test_back();
	test_deaths();
	test_unaware();
	return tap_end();
}
