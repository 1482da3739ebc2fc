#include "smtpd/policy_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spawn.h"
#include "net/resident.h"

enum { LEAVE_MS = 1000 };

/* ---- opening ------------------------------------------------------------------------------------------- */

static const char *connect_socket(struct policy_peer *p)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	const struct timeval limit = { .tv_sec = p->line.timeout_ms / 1000 };

	memcpy(where.sun_path, p->line.path, strlen(p->line.path) + 1); /* policy_line_parse: it fits */
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd == -1)
		return strerror(errno);
	if (setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == -1 ||
		connect(p->fd, (const struct sockaddr *)&where, sizeof where) == -1 ||
		fcntl(p->fd, F_SETFL, O_NONBLOCK) == -1)
		return strerror(errno);
	return NULL;
}

/* A program serves one session after another: what the environment says of the first is not for it. */
static char **environment(void)
{
	static char *vector[RESIDENT_VARS + 1];
	size_t count = 0;

	for (char **v = environ; *v != NULL && count < RESIDENT_VARS; v++)
		if (!resident_of_connection(*v) && strncmp(*v, "RESIDENT", strlen("RESIDENT")) != 0)
			vector[count++] = *v;
	vector[count] = NULL;
	return vector;
}

static const char *run(struct policy_peer *p, int theirs, int null)
{
	const char **files = spawn_search(p->line.words[0], getenv("PATH"));
	struct spawn s = { .files = files, .argv = p->line.words, .envp = environment() };
	int error;

	if (files == NULL)
		return strerror(ENOMEM);
	spawn_fd(&s, theirs, 0);
	spawn_fd(&s, theirs, 1);
	spawn_fd(&s, null != -1 ? null : 2, 2);
	p->pid = spawn_run(&s, &error);
	if (p->pid == -1)
		error = errno;
	free(files);
	if (error != 0)
		return strerror(error);
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0); /* -1: an old kernel */
	return p->pidfd == -1 || fcntl(p->pidfd, F_SETFD, FD_CLOEXEC) == 0 ? NULL : strerror(errno);
}

static const char *start_program(struct policy_peer *p, bool null_log)
{
	int pair[2], null = null_log ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
	const char *wrong;

	if ((null_log && null == -1) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return strerror(errno);
	p->fd = pair[0];
	wrong = fcntl(p->fd, F_SETFL, O_NONBLOCK) == -1 ? strerror(errno) : run(p, pair[1], null);
	close(pair[1]);
	if (null != -1)
		close(null);
	return wrong;
}

const char *policy_peer_open(struct policy_peer *p, bool null_log)
{
	const char *wrong;

	p->fd = p->pidfd = -1;
	p->pid = -1;
	wrong = p->line.path != NULL ? connect_socket(p) : start_program(p, null_log);
	if (wrong != NULL)
		policy_peer_fail(p);
	return wrong;
}

void policy_peer_fail(struct policy_peer *p)
{
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
}

void policy_peer_wait(struct policy_peer *p)
{
	struct pollfd end = { .fd = p->pidfd, .events = POLLIN };

	if (p->pid == -1)
		return;
	if (poll(&end, 1, LEAVE_MS) == -1 || waitpid(p->pid, NULL, WNOHANG) == -1)
		return; /* nobody can be told */
	p->pid = -1;
}

/* ---- asking -------------------------------------------------------------------------------------------- */

static const char *failed(struct policy_peer *p, const char *why)
{
	policy_peer_fail(p);
	return why;
}

static const char *io_failed(struct policy_peer *p, enum io how)
{
	const int error = errno;

	return failed(p, how == IO_TIMEOUT ? "does not answer in time"
			 : how == IO_EOF   ? "went away"
					   : strerror(error));
}

bool policy_peer_is_quiet(const struct policy_peer *p)
{
	struct pollfd in = { .fd = p->fd, .events = POLLIN };

	return p->fd != -1 && poll(&in, 1, 0) == 0;
}

/* SIGPIPE is ignored by smtpd. */
static const char *send_all(struct policy_peer *p, const char *bytes, size_t n)
{
	const enum io how = io_write_own(p->fd, p->line.timeout_ms, bytes, n);

	return how == IO_OK ? NULL : io_failed(p, how);
}

static void note(struct policy_buffers *b, size_t used)
{
	if (used > b->used)
		b->used = used;
}

const char *policy_peer_tell(struct policy_peer *p, struct policy_buffers *b,
	const struct policy_request *q, const char *text, size_t n)
{
	const char *wrong;
	struct str block;

	str_init(&block, b->out_bytes, sizeof b->out_bytes);
	policy_encode_request(&block, q);
	if (block.full)
		return failed(p, "the question is too long");
	str_put(&block, text, n);
	note(b, block.len);
	wrong = send_all(p, block.s, block.len);
	if (wrong == NULL && block.full) /* block and text do not fit together */
		wrong = send_all(p, text, n);
	return wrong;
}

static const char *fill(struct policy_peer *p, struct policy_buffers *b, int64_t deadline_ms)
{
	enum io how;

	b->in.timeout_ms = clock_left_ms(deadline_ms);
	how = io_fill(&b->in);
	note(b, b->in.to);
	return how == IO_OK ? NULL : io_failed(p, how);
}

static const char *read_block(
	struct policy_peer *p, struct policy_buffers *b, int64_t deadline_ms, size_t *end)
{
	size_t searched = 0;

	b->in = (struct io_reader){ .fd = p->fd, .buf = b->in_bytes, .cap = sizeof b->in_bytes };
	while ((*end = policy_block_end(b->in.buf, b->in.to, searched)) == 0) {
		const char *wrong;

		searched = b->in.to;
		if (searched == b->in.cap)
			return failed(p, "answers too much");
		wrong = fill(p, b, deadline_ms);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

const char *policy_peer_ask(struct policy_peer *p, struct policy_buffers *b, const struct policy_request *q,
	struct policy_answer *a)
{
	const int64_t deadline_ms = clock_ms() + p->line.timeout_ms;
	const char *wrong;
	size_t end;

	if (!policy_peer_is_quiet(p))
		return failed(p, "speaks without being asked, or went away");
	wrong = policy_peer_tell(p, b, q, "", 0);
	if (wrong == NULL)
		wrong = read_block(p, b, deadline_ms, &end);
	if (wrong != NULL)
		return wrong;
	wrong = policy_decode_answer(b->in.buf, end, a);
	if (wrong != NULL)
		return failed(p, wrong);
	b->in.from = end;
	if ((a->message == POLICY_NO_MESSAGE || a->message == 0) && b->in.from != b->in.to)
		return failed(p, "answers more than once");
	return NULL;
}

const char *policy_peer_message(
	struct policy_peer *p, struct policy_buffers *b, uint64_t left, const char **piece, size_t *n)
{
	if (b->in.from == b->in.to) {
		const char *wrong = fill(p, b, clock_ms() + p->line.timeout_ms);

		if (wrong != NULL)
			return wrong;
	}
	*piece = b->in.buf + b->in.from;
	*n = b->in.to - b->in.from < left ? b->in.to - b->in.from : (size_t)left;
	b->in.from += *n;
	if (*n == left && b->in.from != b->in.to)
		return failed(p, "answers more than its message");
	return NULL;
}
