#include "tcpserver/workers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "net/resident.h"

enum { NOBODY = -1 };

int workers_init(struct workers *w, size_t idle_max, unsigned bound, size_t sessions_max)
{
	*w = (struct workers){ .size = idle_max + sessions_max,
		.idle_max = idle_max,
		.idle = NOBODY,
		.free = NOBODY,
		.bound = bound,
		.theirs = -1 };
	w->table = calloc(w->size, sizeof *w->table);
	w->block = malloc(RESIDENT_BLOCK);
	if (w->table != NULL && w->block != NULL)
		return 0;
	workers_free(w);
	errno = ENOMEM;
	return -1;
}

void workers_free(struct workers *w)
{
	for (size_t i = 0; w->table != NULL && i < w->high; i++)
		if (w->table[i].fd != -1)
			close(w->table[i].fd);
	free(w->table);
	free(w->block);
	*w = (struct workers){ .idle = NOBODY, .free = NOBODY, .theirs = -1 };
}

int workers_announce(const struct workers *w, struct env *e)
{
	char memory[16];
	struct str text;

	str_init(&text, memory, sizeof memory);
	str_putu(&text, w->bound);
	return env_set(e, RESIDENT_ENV, "3") == -1 ? -1 : env_set(e, RESIDENT_ENV_MAX, text.s);
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static int32_t index_of(const struct workers *w, const struct worker *k)
{
	return (int32_t)(k - w->table);
}

static struct worker *take(struct workers *w)
{
	struct worker *k = NULL;

	if (w->free != NOBODY) {
		k = &w->table[w->free];
		w->free = k->after;
	} else if (w->high < w->size) {
		k = &w->table[w->high++];
	}
	return k;
}

static void leave_idle(struct workers *w, struct worker *k)
{
	int32_t *at = &w->idle;

	while (*at != index_of(w, k))
		at = &w->table[*at].after;
	*at = k->after;
	w->idle_count--;
}

/* Its process sees the end of its control socket, and ends when its session does. */
static void hang_up(struct worker *k)
{
	if (k->fd != -1)
		close(k->fd);
	k->fd = -1;
}

static void let_go(struct workers *w, struct worker *k)
{
	if (!k->busy)
		leave_idle(w, k);
	hang_up(k);
	k->pid = 0;
	k->after = w->free;
	w->free = index_of(w, k);
}

int workers_fd(const struct workers *w, int worker)
{
	return w->table[worker].fd;
}

pid_t workers_pid(const struct workers *w, int worker)
{
	return w->table[worker].pid;
}

/* ---- a program starts ---------------------------------------------------------------------------------- */

int workers_prepare(struct workers *w, struct spawn *s)
{
	int pair[2];

	/* Non-blocking is asked for in each call: these flags are not shared, but theirs must block. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	w->theirs = pair[1];
	spawn_fd(s, pair[1], RESIDENT_FD);
	return pair[0];
}

int workers_started(struct workers *w, int control, pid_t pid)
{
	struct worker *k = pid == -1 ? NULL : take(w);

	close(w->theirs);
	w->theirs = -1;
	if (k == NULL) {
		close(control);
		return NOBODY;
	}
	*k = (struct worker){ .pid = pid, .fd = control, .after = NOBODY, .served = 1, .busy = true };
	return index_of(w, k);
}

/* ---- the next connection ------------------------------------------------------------------------------- */

static ino_t identity(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

static void remember(struct worker *k, const struct pass *p)
{
	for (size_t i = 0; i < PASS_MAX; i++)
		k->passed[i] = i < p->count ? identity(p->fd[i]) : 0;
}

/* Ours, the kernel's or the connection's: not the worker's fault. */
static bool is_our_trouble(int error)
{
	return error == EMSGSIZE || error == ENOMEM || error == ENOBUFS || error == ETOOMANYREFS ||
	       error == EBADF || error == EMFILE;
}

int workers_hand_over(struct workers *w, const struct pass *p, char *const envp[])
{
	ssize_t n;

	if (w->idle == NOBODY)
		return NOBODY;
	n = resident_encode(envp, w->block, RESIDENT_BLOCK);
	while (n != -1 && w->idle != NOBODY) {
		struct worker *k = &w->table[w->idle];

		if (pass_send(k->fd, w->block, (size_t)n, p, MSG_DONTWAIT) == 0) {
			leave_idle(w, k);
			remember(k, p);
			k->busy = true;
			k->served++;
			return index_of(w, k);
		}
		if (is_our_trouble(errno))
			break;
		let_go(w, k); /* it is dead, or does not read */
	}
	return NOBODY;
}

/* ---- what a worker says -------------------------------------------------------------------------------- */

static enum worker_event closed(struct workers *w, struct worker *k, struct worker_report *r)
{
	pass_close(&r->came);
	if (k->busy)
		hang_up(k); /* its process still has the session: workers_reaped */
	else
		let_go(w, k);
	return r->event = WORKER_CLOSED;
}

static enum worker_event done(struct workers *w, struct worker *k, struct worker_report *r, char code)
{
	r->exit_code = (unsigned char)code;
	w->has_done = true;
	if (k->last || k->served >= w->bound || w->idle_count >= w->idle_max) {
		let_go(w, k);
	} else {
		k->busy = false;
		memset(k->passed, 0, sizeof k->passed);
		k->after = w->idle;
		w->idle = index_of(w, k);
		w->idle_count++;
	}
	return r->event = WORKER_DONE;
}

/* Only what it was handed comes back: another socket would get this client's environment. */
static bool is_what_it_had(const struct worker *k, const struct pass *came)
{
	if (came->count == 0 || k->passed[0] == 0)
		return false;
	for (size_t i = 0; i < PASS_MAX; i++)
		if (k->passed[i] != (i < came->count ? identity(came->fd[i]) : 0))
			return false;
	return true;
}

enum worker_event workers_read(struct workers *w, int worker, struct worker_report *r)
{
	struct worker *k = &w->table[worker];
	char packet[2];
	ssize_t n;

	*r = (struct worker_report){ .event = WORKER_NOTHING };
	if (k->fd == -1)
		return r->event; /* an event that was on its way when it was let go */
	r->pid = k->pid;
	r->was_busy = k->busy;
	n = pass_receive(k->fd, packet, sizeof packet, &r->came, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n == -1 && errno == EAGAIN)
		return r->event;
	if (n == 2 && packet[0] == RESIDENT_DONE && r->came.count == 0 && k->busy)
		return done(w, k, r, packet[1]);
	if (n == 1 && packet[0] == RESIDENT_BACK && k->busy && is_what_it_had(k, &r->came)) {
		let_go(w, k);
		return r->event = WORKER_BACK;
	}
	return closed(w, k, r);
}

enum worker_event workers_reaped(struct workers *w, int worker, int status, struct worker_report *r)
{
	struct worker *k = &w->table[worker];
	const bool is_first = k->served == 1;

	/* it may have said something before it died */
	if (workers_read(w, worker, r) == WORKER_NOTHING)
		r->event = WORKER_CLOSED;
	if (k->pid != 0)
		let_go(w, k);
	r->unaware = r->event == WORKER_CLOSED && is_first && w->bound > 1 && WIFEXITED(status) &&
		     WEXITSTATUS(status) == 0 && !w->has_done && !w->told;
	w->told |= r->unaware;
	return r->event;
}

void workers_retire(struct workers *w)
{
	while (w->idle != NOBODY)
		let_go(w, &w->table[w->idle]);
	for (size_t i = 0; i < w->high; i++)
		w->table[i].last = true;
}
