#include "base/twoway.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static bool is_open(const struct twoway_way *w)
{
	return w->to != -1;
}

static bool is_waiting(int error)
{
	return error == EAGAIN || error == EINTR;
}

static struct pollfd wanted(const struct twoway_way *w)
{
	if (!is_open(w))
		return (struct pollfd){ .fd = -1 };
	if (w->at < w->len)
		return (struct pollfd){ .fd = w->to, .events = POLLOUT };
	return (struct pollfd){ .fd = w->from, .events = POLLIN };
}

static void end(struct twoway_way *w)
{
	close(w->to);
	w->to = -1;
}

static void fill(struct twoway_way *w)
{
	char in[TWOWAY_IN];
	const ssize_t n = read(w->from, in, w->chunk);

	if (n == -1 && is_waiting(errno))
		return;
	w->at = 0;
	w->len = w->make(w->arg, in, n > 0 ? (size_t)n : 0, w->out);
	if (n <= 0)
		end(w);
}

static int drain(struct twoway_way *w)
{
	const ssize_t n = write(w->to, w->out + w->at, w->len - w->at);

	if (n >= 0)
		w->at += (size_t)n;
	return n >= 0 || is_waiting(errno) ? 0 : -1;
}

static int step(struct twoway_way *w, const struct pollfd *ready)
{
	if (!is_open(w) || ready->revents == 0)
		return 0;
	if (w->at < w->len)
		return drain(w);
	fill(w);
	return 0;
}

int twoway_run(struct twoway *t)
{
	while (is_open(&t->outward)) {
		struct pollfd fds[] = { wanted(&t->inward), wanted(&t->outward) };

		if (poll(fds, 2, -1) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		if (step(&t->inward, &fds[0]) == -1)
			end(&t->inward); /* the program reads no more, but what it says is still wanted */
		if (step(&t->outward, &fds[1]) == -1)
			return -1;
	}
	return 0;
}

/* Past 0, 1 and 2, whatever of them is open. */
static int open_pipe(int ends[2])
{
	int low[2], saved;

	if (pipe2(low, O_CLOEXEC) == -1)
		return -1;
	ends[0] = fcntl(low[0], F_DUPFD_CLOEXEC, 3);
	ends[1] = fcntl(low[1], F_DUPFD_CLOEXEC, 3);
	saved = errno;
	close(low[0]);
	close(low[1]);
	errno = saved;
	return ends[0] == -1 || ends[1] == -1 ? -1 : 0;
}

int twoway_split(struct twoway *t, const char **step_name)
{
	int in[2], out[2];
	pid_t pid;

	*step_name = "create pipe";
	if (open_pipe(in) == -1 || open_pipe(out) == -1)
		return -1;
	*step_name = "fork";
	pid = fork(); /* both go on with code of ours */
	if (pid == -1)
		return -1;
	if (pid > 0) {
		*step_name = "move descriptors";
		return dup2(in[0], 0) == -1 || dup2(out[1], 1) == -1 ? -1 : 1;
	}
	close(in[0]);
	close(out[1]);
	t->inward.from = 0;
	t->inward.to = in[1];
	t->outward.from = out[0];
	t->outward.to = 1;
	return 0;
}
