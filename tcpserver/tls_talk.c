#include "tcpserver/tls_talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/sandbox.h"
#include "base/str.h"
#include "net/pass.h"
#include "tcpserver/tls_log.h"

/* A packet's descriptors get the lowest numbers that are free, in its order: those of the session before. */
enum { MORE = 3, CONNECTION = 4, CONTROL = 5, PLAIN = 6, ABOVE = 16 };
enum { OLD_KERNEL_FDS = 1024 /* close_range(2) is Linux 5.9 */ };
enum { VARIABLES = 1024, ALERT_MS = 1000 };

/* One way: what was read and is not written yet. */
struct way {
	size_t at, len;
	bool ended;  /* nothing more will be read */
	bool shut;   /* and the other side knows */
	bool broken; /* nobody takes it any more: it is read and thrown away */
	char bytes[TALK_BYTES];
};

struct talk {
	struct tls_session *session;
	struct way in, out; /* the client's, the program's */
	short connection_wants, plain_wants;
	bool failed;
};

/* ---- what is given up ---------------------------------------------------------------------------------- */

static void close_from(unsigned first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	for (unsigned fd = first; fd < OLD_KERNEL_FDS; fd++)
		close((int)fd);
}

/* First out of each other's way. */
static int place(const struct tls_talk *how)
{
	int fds[] = { how->more, how->connection, how->control, how->plain };

	for (int i = 0; i <= PLAIN - MORE; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD, ABOVE);
		if (fds[i] == -1)
			return -1;
	}
	for (int i = 0; i <= PLAIN - MORE; i++)
		if (dup2(fds[i], MORE + i) == -1)
			return -1;
	close_from(PLAIN + 1);
	return 0;
}

static int give_up(const struct tls_talk *how)
{
	const struct rlimit none = { 0, 0 };

	if (user_drop(&how->user) == -1 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
		setrlimit(RLIMIT_CORE, &none) == -1)
		return -1;
	return sandbox_enter(SANDBOX_TLS);
}

/* ---- the handshake ------------------------------------------------------------------------------------- */

static bool wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do
		n = poll(&p, 1, clock_left_ms(deadline));
	while (n == -1 && errno == EINTR);
	return n == 1;
}

/* NULL, or why not. */
static const char *shake_hands(struct tls_session *s, int timeout_ms)
{
	const int64_t deadline = clock_ms() + timeout_ms;

	for (;;) {
		const enum tls_step step = tls_handshake(s);

		if (step == TLS_DONE)
			return NULL;
		if (step != TLS_WANT_READ && step != TLS_WANT_WRITE)
			return step == TLS_CLOSED ? "the client left" : tls_error(s);
		if (!wait_for(CONNECTION, step == TLS_WANT_READ ? POLLIN : POLLOUT, deadline))
			return "the client took too long";
	}
}

/* What is unread at the end makes the kernel reset the connection, and our alert would be lost with it. */
static void let_alert_arrive(void)
{
	const int64_t deadline = clock_ms() + ALERT_MS;
	char thrown_away[4096];

	(void)shutdown(CONNECTION, SHUT_WR);
	while (wait_for(CONNECTION, POLLIN, deadline) &&
		read(CONNECTION, thrown_away, sizeof thrown_away) > 0)
		;
}

/* A program that is gone, or does not listen, needs them no more. */
static void tell_program(const struct tls_session *s)
{
	char memory[VARIABLES];
	struct str text;

	str_init(&text, memory, sizeof memory);
	tls_variables(s, &text);
	if (!text.full)
		(void)!write(CONTROL, text.s, text.len);
}

/* ---- both ways ----------------------------------------------------------------------------------------- */

/* What the connection must be ready for. False: it is over. */
static bool obey(struct talk *t, enum tls_step step)
{
	if (step == TLS_WANT_READ)
		t->connection_wants |= POLLIN;
	else if (step == TLS_WANT_WRITE)
		t->connection_wants |= POLLOUT;
	else if (step == TLS_FAILED)
		t->failed = true;
	return step == TLS_DONE;
}

static bool read_client(struct talk *t)
{
	enum tls_step step;

	if (t->in.len > 0 || t->in.ended)
		return false;
	step = tls_read(t->session, t->in.bytes, sizeof t->in.bytes, &t->in.len);
	t->in.at = 0;
	if (step == TLS_CLOSED)
		t->in.ended = true;
	return obey(t, step) || step == TLS_CLOSED;
}

static bool write_program(struct talk *t)
{
	struct way *w = &t->in;
	ssize_t n;

	if (w->ended && w->len == 0 && !w->shut) {
		w->shut = true;
		(void)shutdown(PLAIN, SHUT_WR);
	}
	if (w->len == 0)
		return false;
	n = w->broken ? (ssize_t)w->len : write(PLAIN, w->bytes + w->at, w->len);
	if (n == -1 && errno == EAGAIN)
		t->plain_wants |= POLLOUT;
	else if (n == -1 && errno != EINTR)
		w->broken = true;
	if (n == -1)
		return errno != EAGAIN;
	w->at += (size_t)n;
	w->len -= (size_t)n;
	return true;
}

static bool read_program(struct talk *t)
{
	struct way *w = &t->out;
	ssize_t n;

	if (w->len > 0 || w->ended)
		return false;
	n = read(PLAIN, w->bytes, sizeof w->bytes);
	if (n == -1 && errno == EAGAIN) {
		t->plain_wants |= POLLIN;
		return false;
	}
	if (n == -1 && errno == EINTR)
		return true;
	w->at = 0;
	w->len = n > 0 ? (size_t)n : 0;
	w->ended = n <= 0; /* ECONNRESET: it went with something unread */
	return true;
}

static bool write_client(struct talk *t)
{
	struct way *w = &t->out;
	enum tls_step step;
	size_t n = 0;

	if (w->len > 0) {
		step = tls_write(t->session, w->bytes + w->at, w->len, &n);
		w->at += n;
		w->len -= n;
		return obey(t, step);
	}
	if (!w->ended || w->shut)
		return false;
	step = tls_say_end(t->session);
	w->shut = obey(t, step);
	if (w->shut)
		(void)shutdown(CONNECTION, SHUT_WR);
	return w->shut;
}

static void move_all(struct talk *t)
{
	bool moved;

	do {
		t->connection_wants = t->plain_wants = 0;
		moved = read_client(t);
		moved |= write_program(t);
		moved |= read_program(t);
		moved |= write_client(t);
	} while (moved && !t->failed);
}

/* The program's end has come, and the client's; or what there is cannot go on. */
static bool is_over(const struct talk *t)
{
	return t->failed || (t->out.shut && t->in.ended);
}

static int wait_both(const struct talk *t, int64_t deadline)
{
	/* -1: its end would be told again and again, although nobody wants to know */
	struct pollfd p[2] = {
		{ .fd = t->connection_wants != 0 ? CONNECTION : -1, .events = t->connection_wants },
		{ .fd = t->plain_wants != 0 ? PLAIN : -1, .events = t->plain_wants },
	};

	return poll(p, 2, clock_left_ms(deadline));
}

static void carry(struct talk *t)
{
	int64_t deadline = CLOCK_NEVER;

	for (;;) {
		move_all(t);
		if (is_over(t))
			return;
		if (t->out.ended && deadline == CLOCK_NEVER)
			deadline = clock_ms() + TALK_LINGER_MS;
		if (wait_both(t, deadline) == 0)
			return;
	}
}

/* ---- the process --------------------------------------------------------------------------------------- */

static void serve(struct talk *t, struct tls *tls, const struct tls_next *next, const struct tls_talk *how)
{
	const char *wrong;

	t->session = tls_accept(tls, CONNECTION);
	if (t->session == NULL) {
		warn("no TLS for %ld: out of memory", (long)next->program);
		_exit(EXIT_TEMPORARY);
	}
	wrong = shake_hands(t->session, how->handshake_ms);
	tls_log_handshake(next->program, how->verbose, t->session, wrong);
	if (wrong == NULL && next->variables)
		tell_program(t->session);
	close(CONTROL); /* without a word, the program sees that there is no TLS */
	if (wrong == NULL) {
		carry(t);
	} else {
		(void)shutdown(PLAIN, SHUT_RDWR);
		let_alert_arrive();
	}
	tls_close(t->session);
	close(CONNECTION);
	close(PLAIN);
	explicit_bzero(t, sizeof *t);
}

/* False: nobody has one for us. */
static bool wait_for_next(struct tls_next *next, unsigned changes)
{
	struct pass p;

	return send(MORE, &changes, sizeof changes, MSG_NOSIGNAL) == (ssize_t)sizeof changes &&
	       pass_receive(MORE, next, sizeof *next, &p, 0) == (ssize_t)sizeof *next && p.count == 3 &&
	       p.fd[0] == CONNECTION && p.fd[1] == CONTROL && p.fd[2] == PLAIN;
}

_Noreturn void tls_talk(struct tls *tls, const struct tls_talk *how)
{
	static struct talk t;
	struct tls_next next = { .program = how->program, .variables = how->variables };
	unsigned left = how->sessions;

	if (place(how) == -1 || give_up(how) == -1) {
		warn("no TLS for %ld: unable to lock the session's process: %s", (long)how->program,
			errtext(errno));
		_exit(EXIT_TEMPORARY);
	}
	do
		serve(&t, tls, &next, how);
	while (--left > 0 && wait_for_next(&next, how->changes));
	_exit(0);
}
