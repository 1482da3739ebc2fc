/* queue/segment.h - files of the log: log/NUMBER, filled with zeros before they are used, and used again.
 *
 * Shape   SEGMENT_HEAD bytes that say which number it has and which key its records are made with, twice, then
 *         records (queue/record.h). A file whose name and head do not agree was about to be used again: it is free.
 *         A segment may grow past its usual size when no other is ready.
 * Errors  -1 with errno.
 * Source  queue/STATES.md. */
#ifndef QUEUE_SEGMENT_H
#define QUEUE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "queue/checksum.h"

enum { SEGMENT_HEAD = 4096 };

struct segment {
	uint64_t number;
	int fd;
	uint32_t live; /* messages whose bytes are here */
};

/* A new file: zeros, head, and its name, all on the disk. dir is that of the log. Slow. */
int segment_create(int dir, uint64_t number, size_t bytes, const unsigned char key[CHECKSUM_KEY])
	__attribute__((warn_unused_result));

/* A file that nobody needs gets another number. fd is its. */
int segment_reuse(int dir, uint64_t from, uint64_t to, int fd, const unsigned char key[CHECKSUM_KEY])
	__attribute__((warn_unused_result));

void segment_remove(int dir, uint64_t number);

/* Opens log/NUMBER. -1 with errno. The descriptor is open all the same with EBADMSG: its head is damaged; with
 * ESTALE: it was about to get this number when all ended, and is free; with ENODATA: it was being made then, and there is
 * nothing in it. */
int segment_open(int dir, uint64_t number, int *fd, unsigned char key[CHECKSUM_KEY])
	__attribute__((warn_unused_result));

#endif
