#include "queue/agents.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spawn.h"
#include "net/pass.h"
#include "queue/agents_starter.h"

enum {
	BUCKETS = 256,
	HELLO_MS = 60000, /* so long it may be silent before it says how many jobs it takes */
	PACKETS = 64      /* read from one agent before it is another one's turn */
};

struct job {
	struct job *next; /* of the same agent, started later */
	struct job *back;
	struct job *chain; /* of the same bucket */
	unsigned long number;
	uint64_t owner;
	int64_t deadline_ms;
	size_t recipients, left;
	bool reported[];
};

struct agent {
	int sock; /* -1: it does not run */
	uint32_t generation;
	bool retired; /* it was late: no more jobs */
	unsigned limit;
	unsigned running;
	int64_t hello_ms; /* deadline */
	struct job *first, *last;
	struct job *bucket[BUCKETS];
};

struct agents {
	struct agents_options options;
	struct agents_calls calls;
	pid_t pid;
	int starter, epoll;
	struct agent agent[AGENTS_MAX];
	char in[AGENT_PACKET + 1], out[AGENT_PACKET];
};

/* ---- jobs ---------------------------------------------------------------------------------------------- */

static struct job **bucket_of(struct agent *g, unsigned long number)
{
	return &g->bucket[number % BUCKETS];
}

static struct job *find_job(struct agent *g, unsigned long number)
{
	struct job *j = *bucket_of(g, number);

	while (j != NULL && j->number != number)
		j = j->chain;
	return j;
}

static void link_job(struct agent *g, struct job *j)
{
	struct job **bucket = bucket_of(g, j->number);

	j->chain = *bucket;
	*bucket = j;
	j->back = g->last;
	if (g->last != NULL)
		g->last->next = j;
	else
		g->first = j;
	g->last = j;
	g->running++;
}

static void unlink_job(struct agent *g, const struct job *j)
{
	struct job **at = bucket_of(g, j->number);

	while (*at != j)
		at = &(*at)->chain;
	*at = j->chain;
	if (j->back != NULL)
		j->back->next = j->next;
	else
		g->first = j->next;
	if (j->next != NULL)
		j->next->back = j->back;
	else
		g->last = j->back;
	g->running--;
}

/* Whoever is called back may start another one in its place. */
static void end_job(struct agents *a, struct agent *g, struct job *j)
{
	const uint64_t owner = j->owner;

	unlink_job(g, j);
	free(j);
	a->calls.over(a->calls.arg, owner);
}

static void defer_job(struct agents *a, struct agent *g, struct job *j, const char *why)
{
	struct agent_report r = { .job = j->number, .letter = 'Z', .status = "4.3.0", .text = why };

	r.n = strlen(why);
	for (size_t i = 0; i < j->recipients; i++)
		if (!j->reported[i]) {
			j->reported[i] = true;
			r.index = i;
			a->calls.report(a->calls.arg, j->owner, &r, true);
		}
	end_job(a, g, j);
}

/* ---- the ends of agents --------------------------------------------------------------------------------- */

static void drop(struct agents *a, struct agent *g, const char *why)
{
	const int sock = g->sock;

	g->sock = -1; /* first: what is called back finds no room here */
	close(sock);
	g->limit = 0;
	/* It may have closed its end and live on. If there is nobody to tell, agents_turn sees that. */
	(void)!send(a->starter, &g->generation, sizeof g->generation, MSG_NOSIGNAL | MSG_DONTWAIT);
	a->calls.limit(a->calls.arg, (size_t)(g - a->agent), 0);
	for (struct job *j = g->first, *next; j != NULL; j = next) {
		next = j->next;
		defer_job(a, g, j, why);
	}
}

static void retire(struct agents *a, struct agent *g)
{
	if (g->retired)
		return;
	g->retired = true;
	shutdown(g->sock, SHUT_WR);
	a->calls.say(a->calls.arg, "delivery agent did not report in time and gets no more jobs");
	a->calls.limit(a->calls.arg, (size_t)(g - a->agent), 0);
}

static void expire(struct agents *a, struct agent *g, int64_t now_ms)
{
	for (struct job *j = g->first, *next; j != NULL && j->deadline_ms <= now_ms; j = next) {
		next = j->next;
		retire(a, g);
		defer_job(a, g, j, "Delivery agent did not report in time. (#4.3.0)");
	}
	if (g->sock == -1 || g->running > 0)
		return;
	if (g->retired || (g->limit == 0 && g->hello_ms <= now_ms))
		drop(a, g, "");
}

/* ---- what agents say ------------------------------------------------------------------------------------ */

static bool hear_hello(struct agents *a, struct agent *g, size_t n)
{
	unsigned limit;

	if (!agent_wire_read_hello(a->in, n, &limit))
		return false;
	g->limit = limit;
	a->calls.limit(a->calls.arg, (size_t)(g - a->agent), limit);
	return true;
}

static bool hear_report(struct agents *a, struct agent *g, size_t n)
{
	struct agent_report r;
	struct job *j;

	if (!agent_wire_read_report(a->in, n, &r))
		return false;
	j = find_job(g, r.job);
	if (j == NULL)
		return g->retired; /* then it is that of a job we have given up */
	if (r.index >= j->recipients || j->reported[r.index])
		return false;
	j->reported[r.index] = true;
	j->left--;
	a->calls.report(a->calls.arg, j->owner, &r, false);
	if (j->left == 0)
		end_job(a, g, j);
	return true;
}

/* False: there is nothing more to read for now, or for ever. */
static bool hear(struct agents *a, struct agent *g)
{
	struct pass came;
	const ssize_t n =
		pass_receive(g->sock, a->in, AGENT_PACKET, &came, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n == -1 && errno == EAGAIN)
		return false;
	if (n == -1 && errno == ECONNRESET)
		return true; /* it died with jobs unread; that is said first, its reports can still be read */
	if (n == 0) {
		pass_close(&came);
		drop(a, g, "Delivery agent died. (#4.3.0)");
		return false;
	}
	if (n > 0 && came.count == 0 &&
		(g->limit == 0 ? hear_hello(a, g, (size_t)n) : hear_report(a, g, (size_t)n)))
		return true;
	if (n > 0)
		pass_close(&came);
	a->calls.say(a->calls.arg, "delivery agent says what no agent says and is killed");
	drop(a, g, "Delivery agent's report was mangled. (#4.3.0)");
	return false;
}

static void hear_agent(struct agents *a, struct agent *g)
{
	for (int i = 0; g->sock != -1 && i < PACKETS; i++)
		if (!hear(a, g))
			break;
}

/* ---- the process that starts them ------------------------------------------------------------------------ */

static int watch(const struct agents *a, int fd, uint32_t what)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &e);
}

static void adopt(struct agents *a, const struct agents_started *word, int fd)
{
	struct agent *g = &a->agent[word->agent];

	if (g->sock != -1) { /* it is dead, and we have not looked yet */
		while (g->sock != -1 && hear(a, g))
			;
		if (g->sock != -1)
			drop(a, g, "Delivery agent died. (#4.3.0)");
	}
	g->generation = word->generation;
	g->sock = fd;
	g->retired = false;
	g->limit = 0;
	g->hello_ms = clock_ms() + HELLO_MS;
	if (watch(a, fd, word->agent) == -1)
		drop(a, g, "");
}

/* 1: one was started; 0: none for now. */
static int hear_starter(struct agents *a)
{
	struct agents_started word;
	struct pass came;
	const ssize_t n =
		pass_receive(a->starter, &word, sizeof word, &came, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n == -1 && errno == EAGAIN)
		return 0;
	if (n == (ssize_t)sizeof word && came.count == 1 && word.agent < a->options.count) {
		adopt(a, &word, came.fd[0]);
		return 1;
	}
	if (n >= 0) {
		pass_close(&came);
		errno = EPIPE;
	}
	return -1;
}

/* ---- for queued ------------------------------------------------------------------------------------------ */

static int start_starter(struct agents *a)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	a->pid = fork();
	if (a->pid == 0) {
		close(pair[0]);
		agents_starter(&a->options, pair[1]);
	}
	close(pair[1]);
	a->starter = pair[0];
	return a->pid == -1 ? -1 : watch(a, a->starter, AGENTS_MAX);
}

static bool all_exist(const struct agents_options *o)
{
	for (size_t i = 0; i < o->count; i++)
		if (!spawn_finds(o->commands[i][0])) {
			errno = ENOENT;
			return false;
		}
	return true;
}

struct agents *agents_open(const struct agents_options *o, const struct agents_calls *calls)
{
	struct agents *a;
	int error;

	if (!all_exist(o) || (a = calloc(1, sizeof *a)) == NULL)
		return NULL;
	a->options = *o;
	a->calls = *calls;
	a->starter = -1;
	a->pid = -1;
	for (size_t i = 0; i < AGENTS_MAX; i++)
		a->agent[i].sock = -1;
	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (a->epoll != -1 && start_starter(a) == 0)
		return a;
	error = errno;
	agents_close(a);
	errno = error;
	return NULL;
}

static void forget_jobs(struct agent *g)
{
	for (struct job *j = g->first, *next; j != NULL; j = next) {
		next = j->next;
		unlink_job(g, j);
		free(j);
	}
}

void agents_close(struct agents *a)
{
	for (size_t i = 0; i < AGENTS_MAX; i++) {
		forget_jobs(&a->agent[i]);
		if (a->agent[i].sock != -1)
			close(a->agent[i].sock);
	}
	if (a->epoll != -1)
		close(a->epoll);
	if (a->starter != -1)
		close(a->starter);
	if (a->pid != -1)
		while (waitpid(a->pid, NULL, 0) == -1 && errno == EINTR)
			; /* behind a sandbox this is refused, and it ends unwatched */
	free(a);
}

int agents_fd(const struct agents *a)
{
	return a->epoll;
}

int64_t agents_wake_ms(const struct agents *a)
{
	int64_t wake_ms = CLOCK_NEVER;

	for (size_t i = 0; i < a->options.count; i++) {
		const struct agent *g = &a->agent[i];
		int64_t ms = CLOCK_NEVER;

		if (g->sock == -1)
			continue;
		if (g->first != NULL)
			ms = g->first->deadline_ms;
		else if (g->limit == 0)
			ms = g->hello_ms;
		if (ms < wake_ms)
			wake_ms = ms;
	}
	return wake_ms;
}

int agents_turn(struct agents *a)
{
	struct epoll_event event[AGENTS_MAX + 1];
	const int count = epoll_wait(a->epoll, event, AGENTS_MAX + 1, 0);
	const int64_t now_ms = clock_ms();
	int heard;

	for (int i = 0; i < count; i++)
		if (event[i].data.u32 < AGENTS_MAX)
			hear_agent(a, &a->agent[event[i].data.u32]);
	do
		heard = hear_starter(a);
	while (heard == 1);
	for (size_t i = 0; i < a->options.count; i++)
		expire(a, &a->agent[i], now_ms);
	return heard;
}

static int send_job(struct agents *a, const struct agent *g, const struct agent_job *j)
{
	const struct pass with = { .fd = { j->fd }, .count = 1 };
	const size_t n = agent_wire_job(a->out, j);

	if (n == 0) {
		errno = EMSGSIZE;
		return -1;
	}
	if (pass_send(g->sock, a->out, n, &with, MSG_DONTWAIT) == 0)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET || errno == ENOBUFS || errno == ETOOMANYREFS)
		errno = EAGAIN; /* it has died, which agents_turn will see; or all have too much to read */
	return -1;
}

int agents_start(struct agents *a, size_t agent, const struct agent_job *j, uint64_t owner)
{
	struct agent *g = &a->agent[agent];
	const size_t recipients = j->envelope.recipients;
	struct job *job;

	if (g->sock == -1 || g->retired || g->running >= g->limit) {
		errno = EAGAIN;
		return -1;
	}
	job = calloc(1, sizeof *job + recipients * sizeof job->reported[0]);
	if (job == NULL)
		return -1;
	if (send_job(a, g, j) == -1) {
		free(job);
		return -1;
	}
	job->number = j->number;
	job->owner = owner;
	job->recipients = job->left = recipients;
	job->deadline_ms = clock_ms() + a->options.timeout_ms;
	link_job(g, job);
	return 0;
}
