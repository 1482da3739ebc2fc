/* base/sink.h - lines to a descriptor that we share with others and must never wait for.
 *
 * Shape   lines are gathered and written together, never more than PIPE_BUF bytes a write into a pipe, so
 *         that no line of another process gets into the middle of one. What a slow reader does not take
 *         is kept, SINK_BYTES at most; what comes then is dropped, counted, and said as soon as there is
 *         room: "NAME: warning: the log does not keep up: N lines dropped".
 * How     O_NONBLOCK on a shared descriptor would be everybody's. A pipe is opened anew through /proc, a
 *         socket has MSG_DONTWAIT, anything else does not make us wait or is asked with poll(2) first.
 * Source  pipe(7), PIPE_BUF. Only system calls: it may run between vfork and exec. */
#ifndef BASE_SINK_H
#define BASE_SINK_H

#include <stdbool.h>
#include <stddef.h>

enum { SINK_BYTES = 64 * 1024 };

struct sink {
	const char *name; /* of the program, for what it says of itself */
	int fd;
	bool is_pipe;
	bool is_socket;
	bool may_wait; /* fd blocks: ask first */
	size_t from, to;
	unsigned long dropped;
	char bytes[SINK_BYTES];
};

/* Before privileges are dropped: afterwards the pipe may not be ours to open. */
void sink_open(struct sink *s, int fd, const char *name);
void sink_put(struct sink *s, const char *line, size_t n); /* with its newline */
void sink_flush(struct sink *s);                           /* as much as goes without waiting */
bool sink_is_full(const struct sink *s);                   /* something is left: poll fd for POLLOUT */

#endif
