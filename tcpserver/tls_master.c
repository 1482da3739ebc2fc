#include "tcpserver/tls_master.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "net/tls_wire.h"
#include "tcpserver/tls_log.h"
#include "tcpserver/tls_pool.h"
#include "tcpserver/tls_store.h"

enum { EVENTS = 64, ORDERS_AT_ONCE = 64, DESCRIPTORS_MAX = 1 << 18 };

/* A program that has not asked yet. Its place in the table is the number of its control. */
struct waiting {
	int connection, plain;
	pid_t program; /* 0: nobody */
};

struct master {
	const struct tls_master_config *config;
	struct tls_store *store;
	struct waiting *table;
	size_t size;
	size_t count;
	int poll;
	struct tls_pool pool;
	bool alone; /* tcpserver is gone */
};

/* ---- one program --------------------------------------------------------------------------------------- */

static void start(struct master *m, struct tls_talk *how)
{
	struct tls *tls = tls_store_now(m->store);

	how->changes = tls_store_changes(m->store);
	tls_pool_start(&m->pool, tls, how->changes, how);
}

static struct tls_talk talk_of(const struct master *m, int connection, int control, int plain)
{
	return (struct tls_talk){ .connection = connection,
		.control = control,
		.plain = plain,
		.variables = true,
		.user = m->config->user,
		.verbose = m->config->verbose,
		.handshake_ms = m->config->handshake_ms,
		.sessions = m->config->sessions };
}

static void keep(struct master *m, const struct pass *p, pid_t program)
{
	const int control = p->fd[TLS_CONTROL];
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)control };

	if ((size_t)control >= m->size || epoll_ctl(m->poll, EPOLL_CTL_ADD, control, &e) == -1) {
		struct pass all = *p;

		pass_close(&all);
		return;
	}
	m->table[control] = (struct waiting){ p->fd[TLS_CONNECTION], p->fd[TLS_PLAIN], program };
	m->count++;
}

/* The entry is nobody's afterwards, its descriptors are the caller's. */
static struct tls_talk release(struct master *m, int control)
{
	struct waiting *w = &m->table[control];
	struct tls_talk how = talk_of(m, w->connection, control, w->plain);

	how.program = w->program;
	(void)epoll_ctl(m->poll, EPOLL_CTL_DEL, control, NULL);
	w->program = 0;
	m->count--;
	return how;
}

static void hear(struct master *m, int control)
{
	struct tls_talk how;
	char word = 0;
	const ssize_t n = recv(control, &word, 1, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	how = release(m, control);
	how.variables = word == TLS_WORD_VARIABLES;
	if (n == 1 && (how.variables || word == TLS_WORD_QUIET)) {
		start(m, &how);
		return;
	}
	if (n == 1)
		warn("the program %ld said something else than Y or y", (long)how.program);
	close(how.connection);
	close(how.control);
	close(how.plain);
}

/* ---- tcpserver ----------------------------------------------------------------------------------------- */

static void obey(struct master *m, const char *packet, size_t n, struct pass *p)
{
	struct tls_order order;
	const char *wrong = tls_order_read(packet, n, p->count, &order);

	if (wrong != NULL) {
		warn("an order %s", wrong);
		pass_close(p);
	} else if (order.mode == TLS_WRAP) {
		struct tls_talk how =
			talk_of(m, p->fd[TLS_CONNECTION], p->fd[TLS_CONTROL], p->fd[TLS_PLAIN]);

		how.program = order.program;
		start(m, &how);
	} else {
		keep(m, p, order.program);
	}
}

static void be_alone(struct master *m)
{
	m->alone = true;
	tls_pool_close(&m->pool);
	(void)epoll_ctl(m->poll, EPOLL_CTL_DEL, TLS_HELPER_FD, NULL);
}

static void take_orders(struct master *m)
{
	for (int i = 0; i < ORDERS_AT_ONCE; i++) {
		char packet[TLS_ORDER + 1]; /* one that is too long shows */
		struct pass p;
		const ssize_t n = pass_receive(
			TLS_HELPER_FD, packet, sizeof packet, &p, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (n > 0) {
			obey(m, packet, (size_t)n, &p);
		} else if (n == 0) {
			pass_close(&p);
			be_alone(m);
			return;
		} else if (errno == EPROTO) {
			warn("an order was lost: no descriptors are left, or it was none");
		} else {
			if (errno != EAGAIN)
				be_alone(m);
			return;
		}
	}
}

/* ---- the loop ------------------------------------------------------------------------------------------ */

static void serve(struct master *m)
{
	struct epoll_event events[EVENTS];

	while (!m->alone || m->count > 0) {
		const int n = epoll_wait(m->poll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			const int fd = (int)(events[i].data.u64 & ~POOL_MARK);

			if ((events[i].data.u64 & POOL_MARK) != 0)
				tls_pool_hear(&m->pool, fd);
			else if (fd == TLS_HELPER_FD)
				take_orders(m);
			else if (m->table[fd].program != 0)
				hear(m, fd);
		}
		tls_log_flush();
	}
}

/* As many descriptors as we may have, and a place for each. */
static int make_table(struct master *m)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return -1;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
	if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
		return -1;
	m->size = limit.rlim_cur;
	m->table = calloc(m->size, sizeof *m->table);
	return m->table == NULL ? -1 : 0;
}

static int open_all(struct master *m)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = TLS_HELPER_FD };

	/* its descriptor is 4: those of a client are all above (tls_talk.c) */
	m->poll = epoll_create1(EPOLL_CLOEXEC);
	if (m->poll != TLS_HELPER_FD + 1) {
		errno = m->poll == -1 ? errno : EBUSY;
		return -1;
	}
	m->pool.poll = m->poll;
	return make_table(m) == -1 ? -1 : epoll_ctl(m->poll, EPOLL_CTL_ADD, TLS_HELPER_FD, &e);
}

int tls_master(const struct tls_master_config *c, bool announce)
{
	static const char ready = TLS_READY;
	static struct master m; /* there is one, for as long as the process lives */

	m.config = c;
	signal(SIGCHLD, SIG_IGN); /* nobody waits for a session's process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 || open_all(&m) == -1)
		die(EXIT_TEMPORARY, "unable to begin: %s", errtext(errno));
	m.store = tls_store_open(c->dir, &c->rules);
	if (m.store == NULL && errno == ENOKEY)
		die(EXIT_PERMANENT,
			"no certificate in %s: put NAME/fullchain.pem and NAME/privkey.pem there", c->dir);
	if (m.store == NULL)
		die(EXIT_TEMPORARY, "unable to read %s: %s", c->dir, errtext(errno));
	tls_warm(tls_store_now(m.store));
	if (announce && send(TLS_HELPER_FD, &ready, 1, MSG_NOSIGNAL) != 1)
		return EXIT_TEMPORARY;
	serve(&m);
	return 0;
}
