#include "tcpserver/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/num.h"
#include "base/sigfd.h"
#include "base/spawn.h"
#include "tcpserver/admit.h"
#include "tcpserver/logline.h"
#include "tcpserver/lookup.h"
#include "tcpserver/session.h"

enum {
	PAUSE_MS = 100,
	COMPLAIN_EVERY_MS = 60 * 1000,
	ACCEPT_BURST = 64,      /* clients between two looks at children and signals */
	LOOKUP_GRACE_MS = 1000, /* the look-ups have a deadline; this is for a helper that has none */
	KEEPALIVE_IDLE_S = 60,  /* a peer that vanished is found out within two minutes */
	KEEPALIVE_EVERY_S = 15,
	KEEPALIVE_PROBES = 4,
	PID_MAX_FALLBACK = 4194304 /* the largest that Linux allows for kernel.pid_max */
};

/* Raw statuses as wait(2) gives them, for clients that never were a process. */
enum { STATUS_DENIED = EXIT_PERMANENT << 8, STATUS_DROPPED = EXIT_TEMPORARY << 8 };

struct server {
	const struct config *config;
	int listener; /* -1: no more clients */
	int signals;
	const char **files; /* where the program may be */
	struct sessions sessions;
	struct admit_desk desk;
	struct lookup lookup;
	bool asking; /* a question waits for room in the look-ups' socket */
	bool stopping;
	long next_number; /* for a client without a process: above every pid */
	int64_t paused_until_ms;
	int64_t quiet_until_ms; /* about pauses */
};

static const struct names no_names;

static bool logs(const struct server *v)
{
	return v->config->verbosity >= STATUS;
}

static void log_status(const struct server *v)
{
	if (logs(v))
		logline_status(v->sessions.count, v->config->limit);
}

static void log_verdict(const struct server *v, const char *verdict, long pid, const struct ends *ends,
	const struct names *names)
{
	if (logs(v))
		logline_verdict(verdict, pid, ends, admit_local_host(v->config, names),
			admit_remote_host(v->config, names), admit_remote_info(names));
}

/* Descriptors, memory or processes are short. To try again at once would only burn the processor. */
static void pause_accepting(struct server *v, const char *what, int error)
{
	const int64_t now = clock_ms();

	v->paused_until_ms = now + PAUSE_MS;
	if (now < v->quiet_until_ms)
		return;
	v->quiet_until_ms = now + COMPLAIN_EVERY_MS;
	warn("%s: %s", what, errtext(error));
}

/* ---- the end of a session ------------------------------------------------------------------------- */

static void leave(struct server *v, struct session *s)
{
	session_give(&v->sessions, s);
	log_status(v);
}

static long begin_refusal(struct server *v, const struct session *s)
{
	const long number = v->next_number++;

	if (logs(v))
		logline_pid(number, &s->ends.remote);
	return number;
}

static void end_refusal(struct server *v, struct session *s, long number, int status)
{
	close(s->fd);
	if (logs(v))
		logline_end(number, status);
	leave(v, s);
}

static void deny(struct server *v, struct session *s, const struct names *names)
{
	const long number = begin_refusal(v, s);

	log_verdict(v, "deny", number, &s->ends, names);
	end_refusal(v, s, number, STATUS_DENIED);
}

static void drop_undecided(struct server *v, struct session *s)
{
	const long number = begin_refusal(v, s);

	admit_explain(&v->desk);
	end_refusal(v, s, number, STATUS_DROPPED);
}

static void drop_failed(struct server *v, struct session *s, const char *what, int error)
{
	const long number = begin_refusal(v, s);

	warn("dropping connection, %s: %s", what, errtext(error));
	end_refusal(v, s, number, STATUS_DROPPED);
}

/* ---- the program ---------------------------------------------------------------------------------- */

struct announcement {
	const struct server *server;
	const struct session *session;
	const struct names *names;
};

/* In the child, before the program can say anything itself. */
static void announce(pid_t pid, void *arg)
{
	const struct announcement *a = arg;

	logline_pid(pid, &a->session->ends.remote);
	log_verdict(a->server, "ok", pid, &a->session->ends, a->names);
}

static void start_program(struct server *v, struct session *s, const struct names *names)
{
	struct announcement announcement = { v, s, names };
	struct spawn spawn = {
		.files = v->files,
		.argv = v->config->program,
		.envp = v->desk.env.vector,
		.before_exec = logs(v) ? announce : NULL,
		.arg = &announcement,
	};
	int exec_errno, error;

	spawn_fd(&spawn, s->fd, 0);
	spawn_fd(&spawn, s->fd, 1);
	s->pid = spawn_run(&spawn, &exec_errno);
	error = errno;
	close(s->fd);
	if (s->pid == -1) {
		warn("dropping connection, unable to fork: %s", errtext(error));
		v->paused_until_ms = clock_ms() + PAUSE_MS;
		leave(v, s);
		return;
	}
	s->state = SESSION_RUNNING;
	if (exec_errno != 0)
		warn("dropping connection, unable to run %s: %s", v->config->program[0],
			errtext(exec_errno));
}

static void decide(struct server *v, struct session *s, const struct names *names)
{
	switch (admit_decide(&v->desk, &s->ends, names)) {
	case ADMIT_OK:
		start_program(v, s, names);
		break;
	case ADMIT_DENY:
		deny(v, s, names);
		break;
	case ADMIT_DROP:
		drop_undecided(v, s);
		break;
	}
}

/* ---- names ---------------------------------------------------------------------------------------- */

static void ask(struct server *v, struct session *s)
{
	const struct lookup_question q = { .id = session_id(&v->sessions, s), .ends = s->ends };

	switch (lookup_ask(&v->lookup, &q)) {
	case LOOKUP_ASKED:
		s->state = SESSION_WAITING;
		return;
	case LOOKUP_LATER:
		s->state = SESSION_ASKING;
		v->asking = true;
		return;
	case LOOKUP_FAILED:
		break;
	}
	session_leave_queue(&v->sessions, s);
	decide(v, s, &no_names);
}

static void ask_again(struct server *v)
{
	struct session *next;

	v->asking = false;
	for (struct session *s = v->sessions.first; s != NULL && !v->asking; s = next) {
		next = s->after;
		if (s->state == SESSION_ASKING)
			ask(v, s);
	}
}

static void go_on_without_names(struct server *v, int64_t up_to_ms)
{
	while (v->sessions.first != NULL && v->sessions.first->deadline_ms <= up_to_ms) {
		struct session *s = v->sessions.first;

		session_leave_queue(&v->sessions, s);
		decide(v, s, &no_names);
	}
}

static void read_answers(struct server *v)
{
	struct lookup_answer a;

	while (lookup_next(&v->lookup, &a)) {
		struct session *s = session_of_id(&v->sessions, a.id);

		if (s == NULL)
			continue; /* it went on without */
		session_leave_queue(&v->sessions, s);
		decide(v, s, &a.names);
	}
	if (v->lookup.fd == -1) {
		warn("the look-ups ended: clients that wait go on without names");
		go_on_without_names(v, CLOCK_NEVER);
	}
}

/* ---- clients -------------------------------------------------------------------------------------- */

static bool say_banner(const struct config *c, int fd)
{
	const size_t n = strlen(c->banner);
	ssize_t sent;

	if (n == 0)
		return true;
	errno = EAGAIN; /* when it was sent in part: the empty buffer of a new connection is too small */
	sent = send(fd, c->banner, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent == (ssize_t)n;
}

static void welcome(struct server *v, struct session *s, const struct sockaddr_storage *peer)
{
	const struct config *c = v->config;

	log_status(v);
	if (ends_of(s->fd, peer, &s->ends) == -1) {
		drop_failed(v, s, "unable to get local address", errno);
		return;
	}
	if (c->kill_options && addr_is_v4(&s->ends.remote))
		(void)setsockopt(s->fd, IPPROTO_IP, IP_OPTIONS, NULL, 0); /* fails where there are none */
	if (!say_banner(c, s->fd)) {
		drop_failed(v, s, "unable to print banner", errno);
		return;
	}
	if (!lookup_wanted(c)) {
		decide(v, s, &no_names);
		return;
	}
	s->deadline_ms = clock_ms() + c->timeout_ms + LOOKUP_GRACE_MS;
	session_wait(&v->sessions, s);
	ask(v, s);
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

/* False when there is nobody, or accepting has to pause. */
static bool accept_one(struct server *v)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	struct session *s;
	const int fd = accept4(v->listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);

	if (fd == -1) {
		if (is_shortage(errno))
			pause_accepting(v, "unable to accept", errno);
		return errno == ECONNABORTED || errno == EINTR;
	}
	s = session_take(&v->sessions); /* there is one: may_accept */
	s->fd = fd;
	welcome(v, s, &peer);
	return true;
}

static bool may_accept(const struct server *v)
{
	return v->listener != -1 && v->sessions.count < v->sessions.limit;
}

static bool is_paused(const struct server *v)
{
	return v->paused_until_ms != 0 && clock_ms() < v->paused_until_ms;
}

static void accept_clients(struct server *v)
{
	for (int i = 0; i < ACCEPT_BURST && may_accept(v) && !is_paused(v); i++)
		if (!accept_one(v))
			return;
}

/* ---- signals -------------------------------------------------------------------------------------- */

static void reap(struct server *v)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct session *s = session_of_pid(&v->sessions, pid);

		if (s == NULL)
			continue; /* the look-ups, or a child that whoever became us had */
		if (logs(v))
			logline_end(pid, status);
		leave(v, s);
	}
}

static void read_signals(struct server *v)
{
	int number;

	while ((number = sigfd_next(v->signals)) != 0)
		switch (number) {
		case SIGCHLD:
			reap(v);
			break;
		case SIGTERM:
			if (v->stopping)
				go_on_without_names(v, CLOCK_NEVER);
			v->stopping = true;
			if (v->listener != -1)
				close(v->listener);
			v->listener = -1;
			break;
		default: /* HUP: rules are looked at with every client, so there is nothing to read again */
			break;
		}
}

/* ---- the loop ------------------------------------------------------------------------------------- */

enum { SIGNALS, LISTENER, LOOKUPS, FDS };

static int64_t next_event(const struct server *v)
{
	int64_t at = v->sessions.first == NULL ? CLOCK_NEVER : v->sessions.first->deadline_ms;

	if (may_accept(v) && is_paused(v) && v->paused_until_ms < at)
		at = v->paused_until_ms;
	return at;
}

static int wait_and_step(struct server *v)
{
	struct pollfd fds[FDS] = {
		[SIGNALS] = { .fd = v->signals, .events = POLLIN },
		[LISTENER] = { .fd = may_accept(v) && !is_paused(v) ? v->listener : -1, .events = POLLIN },
		[LOOKUPS] = { .fd = v->lookup.fd, .events = (short)(POLLIN | (v->asking ? POLLOUT : 0)) },
	};

	if (poll(fds, FDS, clock_left_ms(next_event(v))) == -1)
		return errno == EINTR ? 0 : -1;
	if (fds[SIGNALS].revents != 0)
		read_signals(v);
	if ((fds[LOOKUPS].revents & ~POLLOUT) != 0)
		read_answers(v);
	if ((fds[LOOKUPS].revents & POLLOUT) != 0)
		ask_again(v);
	if (v->sessions.first != NULL)
		go_on_without_names(v, clock_ms());
	if (fds[LISTENER].revents != 0)
		accept_clients(v);
	return 0;
}

/* What is set on the listener holds for every connection that it accepts. */
static int prepare_listener(int fd, const struct config *c)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 }, { IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES },
		{ IPPROTO_TCP, TCP_NODELAY, 1 }, /* last: only with -D */
	};
	const size_t count = sizeof options / sizeof options[0] - (c->no_delay ? 0 : 1);

	for (size_t i = 0; i < count; i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			    sizeof options[i].value) == -1)
			return -1;
	return 0;
}

static long first_number(void)
{
	char text[32];
	unsigned long pid_max = 0;
	const ssize_t n = fs_read_all(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof text);

	if (n > 0)
		num_leading(text, (size_t)n, &pid_max);
	return pid_max == 0 ? PID_MAX_FALLBACK + 1 : (long)pid_max + 1;
}

static int open_server(struct server *v)
{
	static const int signals[] = { SIGCHLD, SIGTERM, SIGHUP };
	const struct config *c = v->config;

	v->files = spawn_search(c->program[0], getenv("PATH"));
	if (v->files == NULL || prepare_listener(v->listener, c) == -1 ||
		sessions_init(&v->sessions, c->limit) == -1 || admit_open(&v->desk, c) == -1)
		return -1;
	lookup_init(&v->lookup, c);
	v->signals = sigfd_open(signals, sizeof signals / sizeof signals[0]);
	return v->signals == -1 ? -1 : 0;
}

static void close_server(struct server *v)
{
	lookup_close(&v->lookup);
	admit_close(&v->desk);
	sessions_free(&v->sessions);
	free(v->files);
	close(v->signals);
}

int serve(int listener, const struct config *c)
{
	struct server v = { .config = c, .listener = listener, .next_number = first_number() };

	if (open_server(&v) == -1)
		return -1; /* our caller ends the process, which frees what was opened */
	log_status(&v);
	while (!v.stopping || v.sessions.first != NULL)
		if (wait_and_step(&v) == -1)
			return -1;
	close_server(&v);
	return 0;
}
