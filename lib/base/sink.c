#include "base/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

static int open_again(int fd)
{
	char path[32];
	struct str s;

	str_init(&s, path, sizeof path);
	str_puts(&s, "/proc/self/fd/");
	str_putu(&s, (unsigned long)fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

void sink_open(struct sink *s, int fd, const char *name)
{
	struct stat st;
	int own;

	s->name = name;
	s->fd = fd;
	s->is_pipe = s->is_socket = s->may_wait = false;
	s->from = s->to = 0;
	s->dropped = 0;
	if (fstat(fd, &st) == -1)
		return;
	s->is_socket = S_ISSOCK(st.st_mode);
	s->is_pipe = S_ISFIFO(st.st_mode);
	s->may_wait = s->is_pipe || S_ISCHR(st.st_mode);
	if (!s->is_pipe)
		return;
	own = open_again(fd);
	if (own == -1)
		return;
	s->fd = own;
	s->may_wait = false;
}

bool sink_is_full(const struct sink *s)
{
	return s->from < s->to;
}

/* The next piece that may be written at once: whole lines. */
static size_t piece(const struct sink *s)
{
	const char *start = s->bytes + s->from;
	const size_t n = s->to - s->from;
	const char *newline;

	if (!s->is_pipe || n <= PIPE_BUF)
		return n;
	newline = memrchr(start, '\n', PIPE_BUF);
	return newline == NULL ? PIPE_BUF : (size_t)(newline - start) + 1;
}

static ssize_t write_piece(const struct sink *s, size_t n)
{
	const char *p = s->bytes + s->from;

	if (s->is_socket)
		return send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (s->may_wait) {
		struct pollfd room = { .fd = s->fd, .events = POLLOUT };

		errno = EAGAIN;
		if (poll(&room, 1, 0) != 1)
			return -1;
	}
	return write(s->fd, p, n);
}

void sink_flush(struct sink *s)
{
	while (s->from < s->to) {
		const ssize_t n = write_piece(s, piece(s));

		if (n > 0)
			s->from += (size_t)n;
		else if (n == -1 && errno == EINTR)
			continue;
		else if (n == -1 && errno == EAGAIN)
			return;
		else
			s->from = s->to; /* the log is gone; the service is not */
	}
	s->from = s->to = 0;
}

static bool fits(struct sink *s, size_t n)
{
	if (n > sizeof s->bytes - s->to)
		sink_flush(s);
	if (n > sizeof s->bytes - s->to && s->from > 0) {
		memmove(s->bytes, s->bytes + s->from, s->to - s->from);
		s->to -= s->from;
		s->from = 0;
	}
	return n <= sizeof s->bytes - s->to;
}

static void append(struct sink *s, const char *line, size_t n)
{
	memcpy(s->bytes + s->to, line, n);
	s->to += n;
}

static bool confess(struct sink *s)
{
	char memory[128];
	struct str line;

	str_init(&line, memory, sizeof memory);
	str_puts(&line, s->name);
	str_puts(&line, ": warning: the log does not keep up: ");
	str_putu(&line, s->dropped);
	str_puts(&line, " lines dropped\n");
	if (!fits(s, line.len))
		return false;
	append(s, line.s, line.len);
	s->dropped = 0;
	return true;
}

void sink_put(struct sink *s, const char *line, size_t n)
{
	if ((s->dropped > 0 && !confess(s)) || !fits(s, n))
		s->dropped++;
	else
		append(s, line, n);
}
