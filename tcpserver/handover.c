#include "tcpserver/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/num.h"
#include "base/spawn.h"
#include "base/str.h"
#include "tcpserver/logline.h"

static const char variable[] = "PORTERO_HANDOVER";

/* Read only by a server whose own record has the same size and version. */
struct record {
	uint32_t version;
	uint32_t listener;
	pid_t pid; /* 0: it waits */
	int fd;    /* of one that waits */
	uint32_t is_unix;
	struct ends ends;
};

enum { VERSION = 1, FDS_TEXT = 16 * LISTENERS };

static int keep(int fd, bool open)
{
	return fcntl(fd, F_SETFD, open ? 0 : FD_CLOEXEC);
}

static bool is_worth_it(const struct session *s)
{
	/* nor one whose TLS has begun and who waits again: its descriptors would have to go along, all of them */
	return s->state != SESSION_FREE && (s->pid != 0 || (s->fd != -1 && s->tls_control == -1));
}

static int write_sessions(const struct sessions *t)
{
	const int fd = memfd_create("handover", 0);

	if (fd == -1)
		return -1;
	for (size_t i = 0; i < t->high; i++) {
		const struct session *s = &t->table[i];
		const struct record r = { VERSION, s->listener, s->pid, s->fd, s->is_unix, s->ends };

		if (!is_worth_it(s))
			continue;
		if ((s->fd != -1 && keep(s->fd, true) == -1) || fs_write_all(fd, &r, sizeof r) == -1) {
			close(fd);
			return -1;
		}
	}
	return fd;
}

static void undo(struct server *v, int fd)
{
	for (size_t i = 0; i < v->listeners->count; i++)
		(void)keep(v->listeners->at[i].fd, false);
	for (size_t i = 0; i < v->sessions.high; i++)
		if (is_worth_it(&v->sessions.table[i]) && v->sessions.table[i].fd != -1)
			(void)keep(v->sessions.table[i].fd, false);
	close(fd);
	(void)tls_link_bequeath(v->tls, false);
	unsetenv(variable);
	unsetenv(LISTENERS_VARIABLE);
}

void handover_exec(struct server *v)
{
	char fds[FDS_TEXT], number[16];
	char *const *argv = v->config->self;
	const char **files = spawn_search(argv[0], getenv("PATH"));
	const int fd = write_sessions(&v->sessions);
	struct str s;

	if (fd == -1 || files == NULL) {
		warn("no new server takes over: %s", errtext(errno));
		return;
	}
	str_init(&s, number, sizeof number);
	str_putu(&s, (unsigned long)fd);
	listeners_bequeath(v->listeners, fds, sizeof fds);
	if (setenv(variable, number, 1) == 0 && setenv(LISTENERS_VARIABLE, fds, 1) == 0 &&
		tls_link_bequeath(v->tls, true) == 0) {
		logline_flush();
		spawn_exec(files, argv, environ);
	}
	warn("no new server takes over, unable to run %s: %s", argv[0], errtext(errno));
	undo(v, fd);
	free(files);
}

static void take(struct server *v, const struct record *r)
{
	struct session *s = session_take(&v->sessions);

	if (s == NULL) {
		if (r->pid == 0)
			close(r->fd);
		return;
	}
	s->listener = r->listener < v->listeners->count ? r->listener : 0;
	s->is_unix = r->is_unix != 0;
	s->ends = r->ends;
	s->fd = r->fd;
	s->source = NO_SOURCE;
	if (r->pid == 0) {
		(void)keep(s->fd, false);
		arrive(v, s);
		return;
	}
	limits_enter(&v->limits, &v->config->limits.quota, &s->ends.remote, &s->source, &s->net);
	limits_slot(&v->limits, s->source, true);
	s->has_slot = true;
	s->judged = true;
	v->sessions.slots++;
	session_run(&v->sessions, s, r->pid);
}

void handover_take(struct server *v)
{
	const char *text = getenv(variable);
	struct record r;
	unsigned long fd;
	off_t at = 0;

	if (text == NULL)
		return;
	if (num_parse(text, 3, INT32_MAX, &fd) == NULL) {
		while (pread((int)fd, &r, sizeof r, at) == (ssize_t)sizeof r && r.version == VERSION) {
			take(v, &r);
			at += (off_t)sizeof r;
		}
		close((int)fd);
	}
	unsetenv(variable);
}
