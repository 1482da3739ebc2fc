/* queue/held.h - a message that waits for its envelope, and is then read once.
 *
 * Shape   up to HELD_BYTES in memory, a larger one in a file without a name in $TMPDIR, else /tmp.
 *         While it comes in, what a server wants to know before it is counted: its size on the wire, and whether
 *         it holds bytes beyond ASCII.
 * Errors  qmail-queue's exit codes.
 * Source  tmpfile(3), open(2) O_TMPFILE. */
#ifndef QUEUE_HELD_H
#define QUEUE_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "queue/door.h"

enum { HELD_BYTES = 256 * 1024 };

struct held {
	int fd;        /* -1: all of it is in memory */
	size_t kept;   /* in memory */
	off_t at;      /* of the file, what is read next */
	uint64_t size; /* mail/dotline.h */
	bool eight_bit;
	char bytes[HELD_BYTES];
};

/* The whole message, from the door. */
enum door_exit held_fill(struct held *h) __attribute__((warn_unused_result));

/* The next piece, in bytes; 0 at its end, -1 with errno. */
ssize_t held_next(struct held *h);

#endif
