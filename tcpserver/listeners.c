#include "tcpserver/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/num.h"
#include "base/str.h"
#include "net/listen.h"

enum {
	KEEPALIVE_IDLE_S = 60, /* a peer that vanished is found out within two minutes */
	KEEPALIVE_EVERY_S = 15,
	KEEPALIVE_PROBES = 4
};

enum { FIRST_GIVEN = 3 /* SD_LISTEN_FDS_START */ };

static void add(struct listeners *l, int fd, const char *path)
{
	if (l->count == LISTENERS)
		die(EXIT_PERMANENT, "more than %d sockets", LISTENERS);
	l->at[l->count++] = (struct listener){ .fd = fd, .path = path };
}

/* ---- sockets that somebody has opened ---------------------------------------------------------------- */

static void add_given(struct listeners *l, int fd, const char *what)
{
	struct sockaddr_storage at = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof at;
	int listening = 0;
	socklen_t n = sizeof listening;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == -1 || listening == 0 ||
		getsockname(fd, (struct sockaddr *)&at, &size) == -1)
		die(EXIT_PERMANENT, "%s: descriptor %d is no socket that listens", what, fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
		die(EXIT_TEMPORARY, "%s: descriptor %d: %s", what, fd, errtext(errno));
	add(l, fd, at.ss_family == AF_UNIX ? "" : NULL);
}

/* The variable is for us alone, and only if it names us: our programs shall not take it for theirs. */
static bool take_given(struct listeners *l)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	unsigned long n;

	if (pid == NULL || count == NULL || num_parse(pid, 1, INT32_MAX, &n) != NULL ||
		(pid_t)n != getpid())
		return false;
	if (num_parse(count, 1, LISTENERS, &n) != NULL)
		die(EXIT_PERMANENT, "LISTEN_FDS: \"%s\" is not a number from 1 to %d", count, LISTENERS);
	for (unsigned long i = 0; i < n; i++)
		add_given(l, FIRST_GIVEN + (int)i, "LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return true;
}

static bool take_bequeathed(struct listeners *l)
{
	const char *text = getenv(LISTENERS_VARIABLE);
	size_t n;

	if (text == NULL)
		return false;
	for (; *text != '\0'; text += n + (text[n] == ',')) {
		unsigned long fd;

		n = strcspn(text, ",");
		if (num_parse_n(text, n, 3, 1000000, &fd) != NULL)
			die(EXIT_PERMANENT, LISTENERS_VARIABLE ": \"%s\" is no list of descriptors", text);
		add_given(l, (int)fd, LISTENERS_VARIABLE);
	}
	unsetenv(LISTENERS_VARIABLE);
	return l->count > 0;
}

void listeners_bequeath(const struct listeners *l, char *to, size_t room)
{
	struct str s;

	str_init(&s, to, room);
	for (size_t i = 0; i < l->count; i++) {
		if (i > 0)
			str_putc(&s, ',');
		str_putu(&s, (unsigned long)l->at[i].fd);
		if (fcntl(l->at[i].fd, F_SETFD, 0) == -1)
			return;
	}
}

/* ---- sockets of the command line --------------------------------------------------------------------- */

static void find_host(const char *text, struct addr *host)
{
	switch (listen_host(text, host)) {
	case LISTEN_HOST_OK:
		break;
	case LISTEN_HOST_NONE:
		die(EXIT_TEMPORARY, "no IP address for %s", text);
	case LISTEN_HOST_TEMPORARY:
		die(EXIT_TEMPORARY, "temporarily unable to figure out IP address for %s: %s", text,
			errtext(EAGAIN));
	}
}

unsigned listeners_port(const char *text)
{
	unsigned port = 0;
	bool unknown;
	const char *wrong = listen_port(text, &port, &unknown);

	if (wrong != NULL && unknown)
		die(EXIT_TEMPORARY, "unable to figure out port number for %s", text);
	if (wrong != NULL)
		die(EXIT_PERMANENT, "port: \"%s\" %s (0 to 65535)", text, wrong);
	return port;
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage at;
	socklen_t size = sizeof at;
	struct addr host;
	unsigned port = 0;

	if (getsockname(fd, (struct sockaddr *)&at, &size) == -1)
		die(EXIT_TEMPORARY, "unable to get local address: %s", errtext(errno));
	return addr_from_sockaddr(&at, &host, &port) == 0 ? port : 0;
}

/* Returns the port, which may have been 0. */
static unsigned open_tcp(struct listeners *l, const char *host, unsigned port, int backlog)
{
	struct addr a;
	const char *step;
	bool early;
	int fd;

	find_host(host, &a);
	fd = listen_open(&a, port, backlog, &early, &step);
	if (fd == -1)
		die(EXIT_TEMPORARY, "unable to %s: %s", step, errtext(errno));
	if (early)
		warn("%s is no address of this machine yet: waiting for it", host);
	add(l, fd, NULL);
	return port_of(fd);
}

static void open_unix(struct listeners *l, const char *path, int backlog)
{
	const char *step;
	const int fd = listen_unix(path, backlog, &step);

	if (fd == -1)
		die(EXIT_TEMPORARY, "unable to %s %s: %s", step, path, errtext(errno));
	add(l, fd, path);
}

static void open_place(struct listeners *l, const struct place *p, int backlog)
{
	unsigned long fd;

	if (strncmp(p->host, "unix:", 5) == 0) {
		open_unix(l, p->host + 5, backlog);
	} else if (strncmp(p->host, "fd:", 3) == 0) {
		const char *wrong = num_parse(p->host + 3, 0, 1000000, &fd);

		if (wrong != NULL)
			die(EXIT_PERMANENT, "%s: \"%s\" %s", p->host, p->host + 3, wrong);
		add_given(l, (int)fd, p->host);
	} else if (strcmp(p->host, "any") == 0) {
		const unsigned port = open_tcp(l, "0", listeners_port(p->port), backlog);

		open_tcp(l, "::", port, backlog);
	} else {
		const unsigned port = listeners_port(p->port);

		open_tcp(l, p->host, port, backlog);
	}
}

void listeners_open(struct listeners *l, const struct config *c)
{
	l->count = 0;
	if (!take_bequeathed(l) && !take_given(l))
		for (size_t i = 0; i < c->place_count; i++)
			open_place(l, &c->places[i], c->backlog);
	l->port = port_of(l->at[0].fd);
}

void listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++)
		close(l->at[i].fd);
	l->count = 0;
}

int listeners_prepare(const struct listeners *l, const struct config *c)
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

	for (size_t i = 0; i < l->count; i++)
		for (size_t o = 0; o < count && l->at[i].path == NULL; o++)
			if (setsockopt(l->at[i].fd, options[o].level, options[o].name, &options[o].value,
				    sizeof options[o].value) == -1)
				return -1;
	return 0;
}

/* ---- we are ready ------------------------------------------------------------------------------------ */

static void notify(const char *path)
{
	static const char ready[] = "READY=1";
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const size_t n = strlen(path);
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (n > 0 && n < sizeof at.sun_path && fd != -1) {
		memcpy(at.sun_path, path, n);
		if (at.sun_path[0] == '@') /* an abstract name */
			at.sun_path[0] = '\0';
		if (sendto(fd, ready, sizeof ready - 1, MSG_NOSIGNAL, (const struct sockaddr *)&at,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == -1)
			warn("NOTIFY_SOCKET: %s: %s", path, errtext(errno));
	}
	if (fd != -1)
		close(fd);
}

void listeners_announce(const struct listeners *l, const struct config *c)
{
	const char *supervisor = getenv("NOTIFY_SOCKET");
	char memory[16];
	struct str line;

	str_init(&line, memory, sizeof memory);
	str_putu(&line, l->port);
	str_putc(&line, '\n');
	if (c->announce && fs_write_all(1, line.s, line.len) == -1)
		warn("unable to print the port: %s", errtext(errno));
	if (c->ready_fd != -1) {
		if (fs_write_all(c->ready_fd, "\n", 1) == -1)
			warn("--ready-fd %d: %s", c->ready_fd, errtext(errno));
		if (c->ready_fd > 2)
			close(c->ready_fd);
	}
	if (supervisor != NULL) {
		notify(supervisor);
		unsetenv("NOTIFY_SOCKET"); /* it is ours, not our programs' */
	}
}
