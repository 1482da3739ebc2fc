#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/proxy.h"
#include "tcpserver/server.h"

enum {
	ACCEPT_BURST = 64, /* clients between two looks at children and signals */
	HEADER_MS = 5000,
	SILENT_MS = 100 /* a client that is no proxy gets so long to show that it pretends to be one */
};

bool arrive_may_accept(const struct server *v)
{
	return !v->stopping && v->sessions.count < v->sessions.room &&
	       (v->paused_until_ms == 0 || clock_ms() >= v->paused_until_ms);
}

/* ---- the waiting room ----------------------------------------------------------------------------- */

static void enter_room(struct server *v, struct session *s)
{
	s->since_ms = clock_ms();
	session_wait(&v->sessions, s, SESSION_ROOM, CLOCK_NEVER);
	/* no event asked for: its end is told in any case */
	if (server_watch(v, s->fd, WATCH_SESSION, (uint32_t)(s - v->sessions.table), 0) == -1) {
		session_leave_queue(&v->sessions, s);
		start_drop(v, s, "unable to wait", errno);
	}
}

/* The last place is for somebody who has none yet. */
static void make_room(struct server *v)
{
	struct session *heaviest;

	if (v->sessions.count < v->sessions.room)
		return;
	heaviest = fair_heaviest(&v->sessions, &v->limits);
	if (heaviest == NULL)
		return; /* everybody here is alone: the kernel keeps the rest */
	server_unwatch(v, heaviest->fd);
	session_leave_queue(&v->sessions, heaviest);
	v->desk.limit = LIMITS_ADDRESS;
	v->desk.diemsg = NULL;
	start_refuse(v, heaviest, ADMIT_LIMIT, &no_names);
}

/* ---- known by its ends ---------------------------------------------------------------------------- */

static bool is_gone(const struct session *s)
{
	struct pollfd p = { .fd = s->fd };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

/* To start a program takes as long as to hand a hundred clients to one that stays. */
static bool needs_a_start(const struct server *v)
{
	return v->config->resident == 0 || v->workers.idle_count == 0;
}

static bool slot_is_free(const struct server *v)
{
	return v->sessions.slots < v->config->limit && v->sessions.queue[QUEUE_ROOM].count == 0;
}

void arrive(struct server *v, struct session *s)
{
	const bool decides = !start_needs_names(v, s);

	if (needs_a_start(v) && is_gone(s)) { /* before a process is spent */
		start_forget(v, s);
		return;
	}
	limits_enter(&v->limits, &v->config->limits.quota, &s->ends.remote, &s->source, &s->net);
	if (decides) {
		const enum admit verdict = start_judge(v, s, &no_names);

		if (verdict != ADMIT_OK) {
			start_refuse(v, s, verdict, &no_names);
			return;
		}
	}
	if (slot_is_free(v))
		start_session(v, s, decides);
	else
		enter_room(v, s);
	make_room(v);
}

/* ---- PROXY ---------------------------------------------------------------------------------------- */

static void read_header(struct server *v, struct session *s)
{
	struct proxy_header h;
	const enum proxy result = proxy_read(s->fd, &h);

	if (result == PROXY_MORE)
		return;
	server_unwatch(v, s->fd);
	session_leave_queue(&v->sessions, s);
	if (result != PROXY_DONE) {
		start_drop(v, s, "PROXY header", result == PROXY_BAD ? EPROTO : ENODATA);
		return;
	}
	if (!h.own)
		s->ends = h.ends;
	arrive(v, s);
}

/* No proxy of ours: what begins like a header is a client that lies about itself. */
static void look_for_forgery(struct server *v, struct session *s, bool late)
{
	struct proxy_header h;
	const enum proxy result = proxy_read(s->fd, &h);

	if (result == PROXY_MORE && !late)
		return;
	server_unwatch(v, s->fd);
	session_leave_queue(&v->sessions, s);
	proxy_stop(s->fd);
	if (result == PROXY_DONE || result == PROXY_BAD)
		start_drop(v, s, "PROXY header from an address without a PROXY rule", EPERM);
	else
		arrive(v, s);
}

static void await_header(struct server *v, struct session *s)
{
	const bool is_proxy = admit_is_proxy(&v->desk, &s->ends);

	session_wait(&v->sessions, s, is_proxy ? SESSION_HEADER : SESSION_SILENT,
		clock_ms() + (is_proxy ? HEADER_MS : SILENT_MS));
	if (server_watch(v, s->fd, WATCH_SESSION, (uint32_t)(s - v->sessions.table), EPOLLIN) == -1) {
		session_leave_queue(&v->sessions, s);
		start_drop(v, s, "unable to wait", errno);
	}
}

/* ---- events --------------------------------------------------------------------------------------- */

void arrive_ready(struct server *v, struct session *s, uint32_t events)
{
	switch ((enum session_state)s->state) {
	case SESSION_HEADER:
		read_header(v, s);
		break;
	case SESSION_SILENT:
		look_for_forgery(v, s, false);
		break;
	case SESSION_ROOM:
		if ((events & (EPOLLERR | EPOLLHUP)) == 0)
			break;
		server_unwatch(v, s->fd);
		session_leave_queue(&v->sessions, s);
		start_forget(v, s);
		break;
	default: /* it moved on in this very round */
		break;
	}
}

void arrive_late(struct server *v, struct session *s)
{
	if (s->state == SESSION_SILENT) {
		look_for_forgery(v, s, true);
		return;
	}
	server_unwatch(v, s->fd);
	session_leave_queue(&v->sessions, s);
	start_drop(v, s, "PROXY header", ETIMEDOUT);
}

/* ---- accept --------------------------------------------------------------------------------------- */

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static int learn_ends(struct session *s, const struct sockaddr_storage *peer)
{
	if (s->is_unix)
		return 0; /* as it is: nothing but zeros */
	return ends_of(s->fd, peer, &s->ends);
}

/* False when there is nobody, or accepting has to pause. */
static bool accept_one(struct server *v, uint32_t listener)
{
	const struct listener *l = &v->listeners->at[listener];
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	struct session *s;
	const int fd = accept4(l->fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);

	if (fd == -1) {
		if (is_shortage(errno))
			server_pause(v, "unable to accept", errno);
		return errno == ECONNABORTED || errno == EINTR;
	}
	s = session_take(&v->sessions); /* there is one: arrive_may_accept */
	s->fd = fd;
	s->listener = listener;
	s->is_unix = l->path != NULL;
	s->source = NO_SOURCE;
	if (learn_ends(s, &peer) == -1) {
		start_drop(v, s, "unable to get local address", errno);
		return true;
	}
	if (v->config->kill_options && !s->is_unix && addr_is_v4(&s->ends.remote))
		(void)setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0); /* fails where there are none */
	if (v->config->proxy && !s->is_unix)
		await_header(v, s);
	else
		arrive(v, s);
	return true;
}

/* A program that stays may be free by now: a look at them before one more is started. */
static bool looks_first(const struct server *v)
{
	return v->config->resident > 0 && needs_a_start(v);
}

void arrive_accept(struct server *v, uint32_t listener)
{
	for (int i = 0; i < ACCEPT_BURST && arrive_may_accept(v) && (i == 0 || !looks_first(v)); i++)
		if (!accept_one(v, listener))
			return;
}
