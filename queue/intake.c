#include "queue/intake.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/user.h"
#include "net/listen.h"
#include "queue/intake_inside.h"

enum {
	BACKLOG = 4096,    /* as much as the kernel allows */
	TURN = 64,         /* events and new connections a turn */
	PAUSE_MS = 100,    /* when there are no descriptors, or no memory */
	SAY_MS = 60 * 1000 /* between two lines about who was refused */
};

static void say(const struct intake *i, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct intake *i, const char *fmt, ...)
{
	char line[256];
	va_list args;

	if (i->say == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	i->say(i->arg, line);
}

/* ---- who may ------------------------------------------------------------------------------------------- */

/* A name that nobody has lets nobody in. */
static void allow(struct intake *i, const char *name)
{
	const char *wrong = user_find(name, &i->users[i->user_count]);

	if (wrong == NULL)
		i->user_count++;
	else
		say(i, "warning: queueusers: %s: %s", name, wrong);
}

void intake_allow(struct intake *i, const struct control_list *users)
{
	size_t count = 0;

	free(i->users);
	i->users = NULL;
	i->user_count = 0;
	i->everybody = users == NULL;
	if (users == NULL)
		return;
	for (size_t at = 0; at < users->bytes; at++)
		count += users->items[at] == '\0';
	i->users = calloc(count + 1, sizeof *i->users);
	for (size_t at = 0; i->users != NULL && at < users->bytes; at += strlen(users->items + at) + 1)
		allow(i, users->items + at);
}

static bool is_allowed(const struct intake *i, uid_t uid)
{
	for (size_t k = 0; k < i->user_count; k++)
		if (i->users[k] == uid)
			return true;
	return i->everybody;
}

static uid_t uid_of(const char *name)
{
	uid_t uid = (uid_t)-1;

	return user_find(name, &uid) == NULL ? uid : (uid_t)-1;
}

/* ---- connections --------------------------------------------------------------------------------------- */

static void refuse(struct intake *i, int fd, const struct store_origin *peer, enum verdict why)
{
	const struct handed h = { .verdict = (unsigned char)why };
	char answer[INTAKE_ANSWER];
	const size_t n = intake_answer_of(&h, answer);

	if (send(fd, answer, n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		errno = 0; /* then it hears nothing but the end */
	close(fd);
	if (i->has_said && i->now_ms - i->said_ms < SAY_MS)
		return;
	i->has_said = true;
	i->said_ms = i->now_ms;
	say(i, "warning: queue socket: pid %ld of uid %lu refused: %s", (long)peer->pid,
		(unsigned long)peer->uid,
		why == VERDICT_USER          ? "not in queueusers"
		: why == VERDICT_CONNECTIONS ? "too many connections"
					     : "out of memory");
}

static void admit(struct intake *i, int fd, const struct store_origin *peer)
{
	struct share *share;

	if (!is_allowed(i, peer->uid)) {
		refuse(i, fd, peer, VERDICT_USER);
		return;
	}
	share = share_enter(&i->shares, peer->uid);
	if (share == NULL) {
		refuse(i, fd, peer, VERDICT_CONNECTIONS);
		return;
	}
	if (connection_open(i, fd, peer, share) == NULL) {
		share_leave(&i->shares, share);
		refuse(i, fd, peer, VERDICT_MEMORY);
	}
}

static int watch_listener(struct intake *i, unsigned events)
{
	struct epoll_event e = { .events = events, .data = { .ptr = NULL } };

	return epoll_ctl(i->epoll, EPOLL_CTL_MOD, i->listener, &e);
}

static void accept_some(struct intake *i)
{
	for (int count = 0; count < TURN; count++) {
		const int fd = accept4(i->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct ucred who;
		socklen_t size = sizeof who;

		if (fd == -1 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd == -1) {
			if (errno != EAGAIN && watch_listener(i, 0) == 0)
				i->accept_ms = i->now_ms + PAUSE_MS;
			return;
		}
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == -1)
			close(fd);
		else
			admit(i, fd, &(struct store_origin){ .uid = who.uid, .pid = who.pid });
	}
}

/* ---- the loop ------------------------------------------------------------------------------------------ */

static void note(struct intake *i, const struct epoll_event *e)
{
	struct connection *c = e->data.ptr;

	if (c == NULL) {
		accept_some(i);
		return;
	}
	c->hung = c->hung || (e->events & (EPOLLHUP | EPOLLERR)) != 0;
	c->readable = (e->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
	connection_to_serve(c);
}

static void close_stalled(struct intake *i)
{
	struct connection *c;

	while ((c = i->waiting.first) != NULL && i->now_ms - c->since_ms >= i->stall_ms) {
		say(i, "warning: queue socket: pid %ld of uid %lu closed: it does not go on",
			(long)c->peer.pid, (unsigned long)c->peer.uid);
		connection_gone(c);
		connection_serve_all(i);
	}
}

void intake_turn(struct intake *i)
{
	struct epoll_event events[TURN];
	const int n = epoll_wait(i->epoll, events, TURN, 0);

	i->now_ms = clock_ms();
	for (int k = 0; k < n; k++)
		note(i, &events[k]);
	connection_serve_all(i);
	close_stalled(i);
	if (i->accept_ms != 0 && i->now_ms >= i->accept_ms && i->listener != -1 &&
		watch_listener(i, EPOLLIN) == 0)
		i->accept_ms = 0;
}

void intake_flush(struct intake *i)
{
	connection_serve_all(i);
}

int intake_fd(const struct intake *i)
{
	return i->epoll;
}

int intake_timeout_ms(const struct intake *i)
{
	int64_t at = CLOCK_NEVER;

	if (i->to_serve != NULL)
		return 0;
	if (i->waiting.first != NULL)
		at = i->waiting.first->since_ms + i->stall_ms;
	if (i->accept_ms != 0 && i->accept_ms < at)
		at = i->accept_ms;
	return clock_left_ms(at);
}

/* ---- its life ------------------------------------------------------------------------------------------ */

static void wrong(char *why, size_t size, const char *what, const char *step, int error)
{
	snprintf(why, size, "%s: cannot %s: %s", what, step, strerror(error));
}

static int open_listener(struct intake *i, const struct intake_options *o, char *why, size_t why_size)
{
	struct epoll_event e = { .events = EPOLLIN, .data = { .ptr = NULL } };
	const char *step;

	i->listener = listen_unix(o->path, BACKLOG, &step);
	if (i->listener == -1) {
		wrong(why, why_size, o->path, step, errno);
		return -1;
	}
	i->path = strdup(o->path);
	if (i->path != NULL && chmod(o->path, o->mode) == 0 &&
		epoll_ctl(i->epoll, EPOLL_CTL_ADD, i->listener, &e) == 0)
		return 0;
	wrong(why, why_size, o->path, "be used", errno);
	return -1;
}

struct intake *intake_open(const struct intake_options *o, const struct store_ops *ops, struct store *store,
	char *why, size_t why_size)
{
	struct intake *i = calloc(1, sizeof *i);

	if (i == NULL) {
		wrong(why, why_size, "intake", "start", ENOMEM);
		return NULL;
	}
	i->ops = ops;
	i->store = store;
	i->say = o->say;
	i->arg = o->arg;
	i->stall_ms = o->stall_ms > 0 ? o->stall_ms : INTAKE_STALL_MS;
	i->last_to_serve = &i->to_serve;
	i->listener = -1;
	i->alias = uid_of("alias");
	i->network = uid_of("qmaild");
	i->bounces = uid_of("qmails");
	i->now_ms = clock_ms();
	i->epoll = epoll_create1(EPOLL_CLOEXEC);
	intake_allow(i, o->users);
	if (i->epoll == -1 ||
		share_init(&i->shares, o->connections > 0 ? o->connections : INTAKE_CONNECTIONS,
			INTAKE_ENVELOPES) == -1)
		wrong(why, why_size, "intake", "start", errno);
	else if (open_listener(i, o, why, why_size) == 0)
		return i;
	intake_close(i);
	return NULL;
}

void intake_stop(struct intake *i)
{
	if (i->listener != -1) {
		close(i->listener);
		unlink(i->path); /* a client is told that there is no server, and no lie about a refusal */
	}
	i->listener = -1;
	i->accept_ms = 0;
	for (struct connection *c = i->all.first; c != NULL; c = c->all.after)
		connection_say_no_more(c);
	connection_serve_all(i);
}

size_t intake_unanswered(const struct intake *i)
{
	return i->unanswered;
}

void intake_close(struct intake *i)
{
	if (i->listener != -1)
		close(i->listener);
	while (i->all.first != NULL)
		connection_free(i->all.first);
	if (i->epoll != -1)
		close(i->epoll);
	share_free(&i->shares);
	free(i->users);
	free(i->path);
	free(i);
}
