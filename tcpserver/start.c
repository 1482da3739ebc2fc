#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/spawn.h"
#include "net/obey.h"
#include "tcpserver/logline.h"
#include "tcpserver/server.h"

enum { LOOKUP_GRACE_MS = 1000 /* the look-ups have a deadline; this is for a helper that has none */ };

/* Raw statuses as wait(2) gives them, for clients that never were a process. */
enum { STATUS_DENIED = EXIT_PERMANENT << 8, STATUS_DROPPED = EXIT_TEMPORARY << 8 };

const struct names no_names;

static void log_verdict(const struct server *v, const char *verdict, long pid, const struct ends *ends,
	const struct names *names, const char *reason)
{
	if (server_logs(v))
		logline_verdict(verdict, pid, ends, admit_local_host(v->config, names),
			admit_remote_host(v->config, names), admit_remote_info(names), reason);
}

/* ---- the end of a session ------------------------------------------------------------------------- */

static void give_back(struct server *v, struct session *s)
{
	if (s->source != NO_SOURCE) {
		if (s->has_slot)
			limits_slot(&v->limits, s->source, false);
		limits_leave(&v->limits, s->source, s->net);
	}
	session_give(&v->sessions, s);
}

void start_forget(struct server *v, struct session *s)
{
	close(s->fd);
	if (s->tls_control != -1)
		close(s->tls_control);
	give_back(v, s);
}

void start_ended(struct server *v, struct session *s, int status)
{
	if (server_logs(v))
		logline_end(s->pid, status);
	if (s->state == SESSION_SHUT || s->state == SESSION_TERMINATED)
		session_leave_queue(&v->sessions, s);
	limits_ended(&v->limits, &v->config->limits, s->source, status, clock_ms());
	give_back(v, s);
	server_log_status(v);
}

static bool say(int fd, const char *text)
{
	const size_t n = strlen(text);
	ssize_t sent;

	if (n == 0)
		return true;
	errno = EAGAIN; /* when it was sent in part: the empty buffer of a new connection is too small */
	sent = send(fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent == (ssize_t)n;
}

/* A client without a slot is counted while it is refused, as one that has a process is; and has not heard the
 * banner yet, which is for everybody. */
static long begin_refusal(struct server *v, struct session *s)
{
	const long number = v->next_number++;

	if (!s->has_slot)
		(void)say(s->fd, v->config->banner);
	if (!s->has_slot && v->sessions.slots < v->config->limit) {
		s->has_slot = true;
		v->sessions.slots++;
		if (s->source != NO_SOURCE)
			limits_slot(&v->limits, s->source, true);
		server_log_status(v);
	}
	if (server_logs(v))
		logline_pid(number, &s->ends);
	return number;
}

static void end_refusal(struct server *v, struct session *s, long number, int status)
{
	const bool counted = s->has_slot;

	start_forget(v, s);
	if (server_logs(v))
		logline_end(number, status);
	if (counted)
		server_log_status(v);
}

void start_refuse(struct server *v, struct session *s, enum admit verdict, const struct names *names)
{
	const long number = begin_refusal(v, s);

	if (verdict == ADMIT_DROP) {
		admit_explain(&v->desk);
		end_refusal(v, s, number, STATUS_DROPPED);
		return;
	}
	if (v->desk.diemsg != NULL && !v->config->tls_wrap)
		obey_refuse(s->fd, v->desk.diemsg);
	if (verdict == ADMIT_LIMIT && server_logs(v))
		logline_limit(number, limits_word(v->desk.limit));
	log_verdict(v, "deny", number, &s->ends, names,
		verdict == ADMIT_LIMIT ? limits_word(v->desk.limit) : "rule");
	end_refusal(v, s, number, STATUS_DENIED);
}

void start_drop(struct server *v, struct session *s, const char *what, int error)
{
	const long number = begin_refusal(v, s);

	warn("dropping connection, %s: %s", what, errtext(error));
	end_refusal(v, s, number, STATUS_DROPPED);
}

/* ---- the verdict ---------------------------------------------------------------------------------- */

enum admit start_judge(struct server *v, struct session *s, const struct names *names)
{
	const char *path = v->listeners->at[s->listener].path;
	const struct admit_unix through = { .fd = s->fd, .path = path };
	const enum admit verdict = admit_decide(&v->desk, &s->ends, names, &through);
	struct quota quota = v->config->limits.quota;
	const char *wrong = NULL;

	if (verdict != ADMIT_OK || s->judged)
		return verdict;
	if (v->desk.has_variables)
		wrong = limits_read(&quota, &v->desk.env);
	if (wrong != NULL)
		return admit_bad_rule(&v->desk, wrong);
	v->desk.limit = limits_admit(&v->limits, &v->config->limits, &quota, s->source, s->net, clock_ms());
	if (v->desk.limit != LIMITS_OK) {
		v->desk.diemsg = env_added(&v->desk.env, "DIEMSG");
		return ADMIT_LIMIT;
	}
	s->judged = true;
	return ADMIT_OK;
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

	logline_pid(pid, &a->session->ends);
	log_verdict(a->server, "ok", pid, &a->session->ends, a->names, "rule");
	logline_flush();
}

/* Beside the running one: nothing of ours is shared with it but the connection. */
static void start_program(
	struct server *v, struct session *s, const struct names *names, struct tls_ends *tls)
{
	struct announcement announcement = { v, s, names };
	struct spawn spawn = {
		.files = v->files,
		.argv = v->config->program,
		.envp = v->desk.env.vector,
		.before_exec = server_logs(v) ? announce : NULL,
		.arg = &announcement,
	};
	int exec_errno, error, control = -1;
	pid_t pid;

	tls_ends_map(v->tls, tls, s->fd, &spawn);
	if (v->config->resident > 0)
		control = workers_prepare(&v->workers, &spawn);
	pid = spawn_run(&spawn, &exec_errno);
	error = errno;
	if (control != -1)
		s->worker = workers_started(&v->workers, control, pid);
	if (s->worker != -1)
		(void)server_watch(
			v, workers_fd(&v->workers, s->worker), WATCH_WORKER, (uint32_t)s->worker, EPOLLIN);
	if (pid == -1)
		tls_ends_close(tls);
	else
		tls_link_order(v->tls, tls, s->fd, pid);
	close(s->fd);
	s->fd = -1;
	if (pid == -1) {
		warn("dropping connection, unable to fork: %s", errtext(error));
		server_pause(v, NULL, 0);
		give_back(v, s);
		server_log_status(v);
		return;
	}
	session_run(&v->sessions, s, pid);
	if (exec_errno != 0)
		warn("dropping connection, unable to run %s: %s", v->config->program[0],
			errtext(exec_errno));
}

/* To a program that waits for it. The lines come first, as ever; so they name the one that will be tried
 * first. */
static bool hand_over(struct server *v, struct session *s, const struct names *names, struct tls_ends *tls)
{
	struct announcement announcement = { v, s, names };
	struct pass pass;
	pid_t expected = 0;

	if (v->workers.idle == -1)
		return false;
	expected = workers_pid(&v->workers, v->workers.idle);
	if (server_logs(v))
		announce(expected, &announcement);
	tls_ends_pass(v->tls, tls, s->fd, &pass);
	s->worker = workers_hand_over(&v->workers, &pass, v->desk.env.vector);
	if (s->worker == -1) {
		if (server_logs(v))
			logline_end(expected, 0);
		return false;
	}
	if (server_logs(v) && workers_pid(&v->workers, s->worker) != expected) {
		logline_end(expected, 0);
		announce(workers_pid(&v->workers, s->worker), &announcement);
	}
	tls_link_order(v->tls, tls, s->fd, workers_pid(&v->workers, s->worker));
	close(s->fd);
	s->fd = -1;
	session_run(&v->sessions, s, workers_pid(&v->workers, s->worker));
	return true;
}

/* Where STARTTLS is not to be had, mail still comes; where all is to be TLS, nothing does. */
static bool begin_tls(struct server *v, struct session *s, struct tls_ends *tls)
{
	bool good;

	tls_ends_none(tls);
	if (v->config->tls == NULL)
		return true;
	good = tls_link_begin(v->tls, s->tls_control, &v->desk.env, tls);
	s->tls_control = -1;
	return good || !v->config->tls_wrap;
}

static void run_program(struct server *v, struct session *s, const struct names *names)
{
	struct tls_ends tls;

	if (!begin_tls(v, s, &tls)) {
		start_drop(v, s, "unable to begin TLS", errno);
		return;
	}
	if (v->config->resident > 0 && workers_announce(&v->workers, &v->desk.env) == 0 &&
		hand_over(v, s, names, &tls))
		return;
	start_program(v, s, names, &tls);
}

static void run(struct server *v, struct session *s, const struct names *names)
{
	const bool talks = v->desk.has_variables && !v->config->tls_wrap;
	const char *banner = talks ? env_added(&v->desk.env, "BANNER") : NULL;

	if (banner != NULL && !say(s->fd, banner))
		start_drop(v, s, "unable to print banner", errno);
	else
		run_program(v, s, names);
}

static void decide(struct server *v, struct session *s, const struct names *names)
{
	const enum admit verdict = start_judge(v, s, names);

	if (verdict == ADMIT_OK)
		run(v, s, names);
	else
		start_refuse(v, s, verdict, names);
}

/* ---- names ---------------------------------------------------------------------------------------- */

bool start_needs_names(const struct server *v, const struct session *s)
{
	return lookup_wanted(v->config) && !s->is_unix;
}

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

void start_ask_again(struct server *v)
{
	struct session *next;

	v->asking = false;
	for (struct session *s = v->sessions.queue[QUEUE_NAMES].first; s != NULL && !v->asking; s = next) {
		next = s->after;
		if (s->state == SESSION_ASKING)
			ask(v, s);
	}
}

void start_without_names(struct server *v, int64_t up_to_ms)
{
	struct session *s;

	while ((s = v->sessions.queue[QUEUE_NAMES].first) != NULL && s->deadline_ms <= up_to_ms) {
		session_leave_queue(&v->sessions, s);
		decide(v, s, &no_names);
	}
}

void start_read_answers(struct server *v)
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
		start_without_names(v, CLOCK_NEVER);
	}
}

/* If they are wanted; then the verdict. */
static void find_names(struct server *v, struct session *s)
{
	const struct config *c = v->config;

	if (!start_needs_names(v, s)) {
		decide(v, s, &no_names);
		return;
	}
	session_wait(&v->sessions, s, SESSION_ASKING, clock_ms() + c->timeout_ms + LOOKUP_GRACE_MS);
	ask(v, s);
}

/* ---- a slot --------------------------------------------------------------------------------------- */

void start_session(struct server *v, struct session *s, bool decided)
{
	const struct config *c = v->config;

	s->has_slot = true;
	v->sessions.slots++;
	limits_slot(&v->limits, s->source, true);
	server_log_status(v);
	if (!say(s->fd, c->banner)) {
		start_drop(v, s, "unable to print banner", errno);
	} else if (decided) {
		run(v, s, &no_names);
	} else {
		find_names(v, s);
	}
}

void start_waiting(struct server *v)
{
	while (v->sessions.slots < v->config->limit && v->sessions.queue[QUEUE_ROOM].count > 0) {
		struct session *s = fair_next(&v->sessions, &v->limits, clock_ms());

		server_unwatch(v, s->fd);
		session_leave_queue(&v->sessions, s);
		start_session(v, s, false);
	}
}

/* ---- programs that stay --------------------------------------------------------------------------- */

/* The program could not take it: it starts anew, with a program of its own. */
static void start_over(struct server *v, struct session *s, const struct pass *came)
{
	if (server_logs(v))
		logline_end(s->pid, 0);
	session_stop(&v->sessions, s);
	s->worker = -1;
	s->fd = came->fd[0];
	if (came->count == 2) /* --tls-mode=wrap: its handshake has begun */
		s->tls_control = came->fd[1];
	else if (came->count == 3) { /* of STARTTLS nothing has been said: it gets others */
		close(came->fd[1]);
		close(came->fd[2]);
	}
	find_names(v, s);
}

static void obey_report(struct server *v, struct session *s, const struct worker_report *r, int status)
{
	if (s->state == SESSION_SHUT || s->state == SESSION_TERMINATED)
		session_leave_queue(&v->sessions, s);
	if (r->event == WORKER_DONE)
		start_ended(v, s, r->exit_code << 8);
	else if (r->event == WORKER_BACK)
		start_over(v, s, &r->came);
	else
		start_ended(v, s, status);
}

void start_read_worker(struct server *v, int worker)
{
	struct worker_report r;
	const enum worker_event event = workers_read(&v->workers, worker, &r);
	struct session *s = r.was_busy ? session_of_pid(&v->sessions, r.pid) : NULL;

	if (s != NULL && (event == WORKER_DONE || event == WORKER_BACK))
		obey_report(v, s, &r, 0);
	else if (event == WORKER_BACK)
		pass_close(&r.came);
	/* CLOSED: a session that it has ends with its process */
}

void start_reaped(struct server *v, struct session *s, int status)
{
	struct worker_report r = { .event = WORKER_NOTHING };

	if (s->worker != -1)
		(void)workers_reaped(&v->workers, s->worker, status, &r);
	if (r.unaware)
		warn("--resident: %s takes one connection only", v->config->program[0]);
	obey_report(v, s, &r, status);
}
