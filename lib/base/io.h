/* base/io.h - buffered reading and writing with deadlines, on memory that the caller owns.
 *
 * Shape   the reader shows its bytes as the window buf[from..to); whoever uses some moves from. The
 *         writer collects and sends on io_flush or when full. Both stay blocking-safe on descriptors
 *         whose flags belong to somebody else: they poll first and write 4096 bytes at most a call,
 *         which a pipe (PIPE_BUF) and a socket accept at once after POLLOUT.
 * Units   timeout_ms bounds each wait; -1 waits for ever.
 * Errors  an enum io, sticky: after anything but IO_OK every later call gives the same answer. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>

enum io { IO_OK, IO_EOF, IO_TIMEOUT, IO_ERROR };

struct io_reader {
	int fd;
	int timeout_ms;
	char *buf;
	size_t cap;
	size_t from;
	size_t to;
	enum io state;
};

struct io_writer {
	int fd;
	int timeout_ms;
	char *buf;
	size_t cap;
	size_t len;
	enum io state;
};

/* Moves the window to the front and reads once behind it. A full window reads nothing: IO_OK. */
enum io io_fill(struct io_reader *r);

enum io io_put(struct io_writer *w, const void *p, size_t n);
enum io io_flush(struct io_writer *w);

/* All of it, unbuffered, to a descriptor that is ours alone and does not block (O_NONBLOCK): as much a call
 * as it takes. */
enum io io_write_own(int fd, int timeout_ms, const void *p, size_t n);

#endif
