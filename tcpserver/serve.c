#include "tcpserver/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/num.h"
#include "base/sigfd.h"
#include "base/spawn.h"
#include "tcpserver/handover.h"
#include "tcpserver/logline.h"
#include "tcpserver/server.h"

enum {
	PAUSE_MS = 100,
	COMPLAIN_EVERY_MS = 60 * 1000,
	EVENTS = 64,
	SHUT_MS = 500,             /* a program whose connection was shut down has so long to end */
	TERMINATED_MS = 4500,      /* and one that was told to */
	PID_MAX_FALLBACK = 4194304 /* the largest that Linux allows for kernel.pid_max */
};

bool server_logs(const struct server *v)
{
	return v->config->verbosity >= STATUS;
}

void server_log_status(const struct server *v)
{
	if (server_logs(v))
		logline_status(v->sessions.slots, v->config->limit);
}

/* Descriptors, memory or processes are short. To try again at once would only burn the processor. */
void server_pause(struct server *v, const char *what, int error)
{
	const int64_t now = clock_ms();

	v->paused_until_ms = now + PAUSE_MS;
	if (what == NULL || now < v->quiet_until_ms)
		return;
	v->quiet_until_ms = now + COMPLAIN_EVERY_MS;
	warn("%s: %s", what, errtext(error));
}

/* ---- what epoll watches --------------------------------------------------------------------------- */

int server_watch(struct server *v, int fd, enum watched kind, uint32_t index, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = (uint64_t)kind << 32 | index };

	if (epoll_ctl(v->poll, EPOLL_CTL_ADD, fd, &e) == 0)
		return 0;
	return errno == EEXIST ? epoll_ctl(v->poll, EPOLL_CTL_MOD, fd, &e) : -1;
}

void server_unwatch(struct server *v, int fd)
{
	(void)epoll_ctl(v->poll, EPOLL_CTL_DEL, fd, NULL);
}

static void watch_listeners(struct server *v)
{
	const bool want = arrive_may_accept(v);

	if (want == v->listening)
		return;
	for (size_t i = 0; i < v->listeners->count; i++)
		if (want)
			(void)server_watch(v, v->listeners->at[i].fd, WATCH_LISTENER, (uint32_t)i, EPOLLIN);
		else
			server_unwatch(v, v->listeners->at[i].fd);
	v->listening = want;
}

/* The socket to the look-ups comes and goes with their process. */
static void watch_lookups(struct server *v)
{
	const uint32_t events = EPOLLIN | (v->asking ? (uint32_t)EPOLLOUT : 0);

	if (v->lookup.fd == -1)
		v->lookup_polled = -1;
	else if (v->lookup_polled != (int)events &&
		 server_watch(v, v->lookup.fd, WATCH_LOOKUPS, 0, events) == 0)
		v->lookup_polled = (int)events;
}

/* Only while the log takes no more: what is said until then waits in our memory. */
static void watch_log(struct server *v)
{
	int fd;

	logline_flush();
	fd = logline_waits();
	if (fd == v->log_polled)
		return;
	if (v->log_polled != -1)
		server_unwatch(v, v->log_polled);
	if (fd != -1 && server_watch(v, fd, WATCH_LOG, 0, EPOLLOUT) == -1)
		return; /* no such descriptor for epoll: asked again in the next round */
	v->log_polled = fd;
}

/* ---- fairness ------------------------------------------------------------------------------------- */

static void shed(struct server *v)
{
	struct session *victims[FAIR_AT_ONCE];
	const int64_t now = clock_ms();
	size_t n;

	if (v->sessions.queue[QUEUE_ROOM].count == 0 || now < v->shed_at_ms)
		return;
	v->shed_at_ms = now + FAIR_EVERY_MS;
	n = fair_victims(&v->sessions, &v->limits, &v->silence, v->config->limit, now, victims);
	for (size_t i = 0; i < n; i++) {
		if (server_logs(v))
			logline_shed(victims[i]->pid);
		limits_shed(&v->limits, victims[i]->source, now);
		silence_shut(victims[i]->pid, &victims[i]->ends);
		session_wait(&v->sessions, victims[i], SESSION_SHUT, now + SHUT_MS);
	}
}

static void end_stubborn(struct server *v, int64_t now)
{
	struct session *s;

	while ((s = v->sessions.queue[QUEUE_SHUT].first) != NULL && s->deadline_ms <= now) {
		kill(s->pid, SIGTERM);
		session_leave_queue(&v->sessions, s);
		session_wait(&v->sessions, s, SESSION_TERMINATED, now + TERMINATED_MS);
	}
	while ((s = v->sessions.queue[QUEUE_TERMINATED].first) != NULL && s->deadline_ms <= now) {
		kill(s->pid, SIGKILL);
		session_leave_queue(&v->sessions, s);
		session_wait(&v->sessions, s, SESSION_TERMINATED, CLOCK_NEVER);
	}
}

/* ---- time ----------------------------------------------------------------------------------------- */

static void be_late(struct server *v, enum session_queue q, int64_t now)
{
	struct session *s;

	while ((s = v->sessions.queue[q].first) != NULL && s->deadline_ms <= now)
		arrive_late(v, s);
}

static void step_time(struct server *v)
{
	const int64_t now = clock_ms();

	be_late(v, QUEUE_HEADER, now);
	be_late(v, QUEUE_SILENT, now);
	start_without_names(v, now);
	end_stubborn(v, now);
	start_waiting(v);
	shed(v);
	if (v->paused_until_ms != 0 && now >= v->paused_until_ms)
		v->paused_until_ms = 0;
}

static int64_t next_event(const struct server *v)
{
	int64_t at = v->stop_at_ms;

	for (int q = 0; q < QUEUES; q++)
		if (v->sessions.queue[q].first != NULL && v->sessions.queue[q].first->deadline_ms < at)
			at = v->sessions.queue[q].first->deadline_ms;
	if (v->paused_until_ms != 0 && v->paused_until_ms < at)
		at = v->paused_until_ms;
	if (v->sessions.queue[QUEUE_ROOM].count > 0 && v->shed_at_ms < at)
		at = v->shed_at_ms;
	return at;
}

/* ---- signals -------------------------------------------------------------------------------------- */

static void reap(struct server *v)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct session *s = session_of_pid(&v->sessions, pid);

		if (s != NULL) /* else the look-ups, or a child that whoever became us had */
			start_reaped(v, s, status);
	}
}

/* Clients that wait for their names are served; with --drain also those in the waiting room. */
static void stop(struct server *v)
{
	const bool again = v->stopping;

	v->stopping = true;
	if (v->config->resident > 0)
		workers_retire(&v->workers);
	watch_listeners(v);
	listeners_close(v->listeners);
	v->stop_at_ms = CLOCK_NEVER;
	if (again)
		v->stop_at_ms = clock_ms();
	else if (v->config->drain_ms != -1)
		v->stop_at_ms = clock_ms() + v->config->drain_ms;
	if (again)
		start_without_names(v, CLOCK_NEVER);
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
			stop(v);
			break;
		case SIGUSR2:
			if (!v->stopping)
				handover_exec(v);
			break;
		default: /* HUP: rules are looked at with every client; programs that stay start anew */
			if (v->config->resident > 0)
				workers_retire(&v->workers);
			break;
		}
}

/* ---- the loop ------------------------------------------------------------------------------------- */

static enum watched kind_of(const struct epoll_event *e)
{
	return (enum watched)(e->data.u64 >> 32);
}

static void handle(struct server *v, const struct epoll_event *e)
{
	const uint32_t index = (uint32_t)e->data.u64;

	switch (kind_of(e)) {
	case WATCH_SIGNALS:
		read_signals(v);
		break;
	case WATCH_LOOKUPS:
		if ((e->events & ~(uint32_t)EPOLLOUT) != 0)
			start_read_answers(v);
		if ((e->events & EPOLLOUT) != 0)
			start_ask_again(v);
		break;
	case WATCH_LOG: /* the next round flushes */
		break;
	case WATCH_LISTENER:
		if (index < v->listeners->count)
			arrive_accept(v, index);
		break;
	case WATCH_WORKER:
		start_read_worker(v, (int)index);
		break;
	case WATCH_SESSION:
		arrive_ready(v, &v->sessions.table[index], e->events);
		break;
	}
}

static int wait_and_step(struct server *v)
{
	struct epoll_event events[EVENTS];
	int n;

	watch_listeners(v);
	watch_lookups(v);
	watch_log(v);
	n = epoll_wait(v->poll, events, EVENTS, clock_left_ms(next_event(v)));
	if (n == -1)
		return errno == EINTR ? 0 : -1;
	/* Who leaves before who comes: slots are free then, and programs that stay. */
	for (int i = 0; i < n; i++)
		if (kind_of(&events[i]) != WATCH_LISTENER)
			handle(v, &events[i]);
	for (int i = 0; i < n; i++)
		if (kind_of(&events[i]) == WATCH_LISTENER)
			handle(v, &events[i]);
	step_time(v);
	return 0;
}

static bool is_over(const struct server *v)
{
	if (!v->stopping)
		return false;
	if (v->stop_at_ms != CLOCK_NEVER) /* --drain */
		return v->sessions.count == 0 || clock_ms() >= v->stop_at_ms;
	return v->sessions.queue[QUEUE_NAMES].count == 0;
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
	static const int signals[] = { SIGCHLD, SIGTERM, SIGHUP, SIGUSR2 };
	const struct config *c = v->config;
	const size_t sessions = c->limit + fair_room(c->limit);

	v->files = spawn_search(c->program[0], getenv("PATH"));
	if (v->files == NULL || sessions_init(&v->sessions, sessions) == -1 ||
		limits_init(&v->limits, sessions) == -1 || admit_open(&v->desk, c) == -1)
		return -1;
	if (c->resident > 0 &&
		workers_init(&v->workers, c->resident, (unsigned)c->resident_bound, c->limit) == -1)
		return -1;
	lookup_init(&v->lookup, c);
	v->signals = sigfd_open(signals, sizeof signals / sizeof signals[0]);
	v->poll = epoll_create1(EPOLL_CLOEXEC);
	if (v->signals == -1 || v->poll == -1)
		return -1;
	return server_watch(v, v->signals, WATCH_SIGNALS, 0, EPOLLIN);
}

static void close_server(struct server *v)
{
	lookup_close(&v->lookup);
	tls_link_close(v->tls);
	if (v->config->resident > 0)
		workers_free(&v->workers);
	admit_close(&v->desk);
	sessions_free(&v->sessions);
	limits_free(&v->limits);
	silence_close(&v->silence);
	free(v->files);
	close(v->signals);
	close(v->poll);
}

int serve(struct listeners *listeners, struct tls_link *tls, const struct config *c)
{
	struct server v = {
		.config = c,
		.listeners = listeners,
		.tls = tls,
		.next_number = first_number(),
		.silence = { -1 },
		.lookup_polled = -1,
		.log_polled = -1,
		.stop_at_ms = CLOCK_NEVER,
	};

	if (open_server(&v) == -1)
		return -1; /* our caller ends the process, which frees what was opened */
	handover_take(&v);
	reap(&v); /* whoever ended while we were another program */
	server_log_status(&v);
	while (!is_over(&v))
		if (wait_and_step(&v) == -1)
			return -1;
	logline_flush();
	close_server(&v);
	return 0;
}
