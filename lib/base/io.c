#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { WRITE_MAX = 4096 };

static enum io wait_for(int fd, short events, int timeout_ms)
{
	const int64_t deadline = timeout_ms < 0 ? CLOCK_NEVER : clock_ms() + timeout_ms;
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int n = poll(&p, 1, clock_left_ms(deadline));

		if (n > 0)
			return IO_OK;
		if (n == 0)
			return IO_TIMEOUT;
		if (errno != EINTR)
			return IO_ERROR;
	}
}

enum io io_fill(struct io_reader *r)
{
	ssize_t n;

	if (r->state != IO_OK)
		return r->state;
	if (r->from > 0) {
		memmove(r->buf, r->buf + r->from, r->to - r->from);
		r->to -= r->from;
		r->from = 0;
	}
	if (r->to == r->cap)
		return IO_OK;
	do {
		r->state = wait_for(r->fd, POLLIN, r->timeout_ms);
		if (r->state != IO_OK)
			return r->state;
		n = read(r->fd, r->buf + r->to, r->cap - r->to);
	} while (n == -1 && (errno == EINTR || errno == EAGAIN));
	if (n <= 0)
		r->state = n == 0 ? IO_EOF : IO_ERROR;
	else
		r->to += (size_t)n;
	return r->state;
}

/* own: the descriptor does not block, so it may be offered everything at once. */
static enum io write_all(int fd, int timeout_ms, const char *at, size_t n, bool own)
{
	while (n > 0) {
		enum io ready = own ? IO_OK : wait_for(fd, POLLOUT, timeout_ms);
		ssize_t w;

		if (ready != IO_OK)
			return ready;
		w = write(fd, at, own || n < WRITE_MAX ? n : WRITE_MAX);
		if (w == -1 && errno == EAGAIN)
			ready = wait_for(fd, POLLOUT, timeout_ms);
		else if (w == -1 && errno != EINTR)
			ready = IO_ERROR;
		if (ready != IO_OK)
			return ready;
		if (w > 0) {
			at += w;
			n -= (size_t)w;
		}
	}
	return IO_OK;
}

enum io io_write_own(int fd, int timeout_ms, const void *p, size_t n)
{
	return write_all(fd, timeout_ms, p, n, true);
}

enum io io_flush(struct io_writer *w)
{
	if (w->state == IO_OK && w->len > 0)
		w->state = write_all(w->fd, w->timeout_ms, w->buf, w->len, false);
	w->len = 0;
	return w->state;
}

enum io io_put(struct io_writer *w, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0 && w->state == IO_OK) {
		size_t room = w->cap - w->len, part = n < room ? n : room;

		memcpy(w->buf + w->len, at, part);
		w->len += part;
		at += part;
		n -= part;
		if (w->len == w->cap)
			io_flush(w);
	}
	return w->state;
}
