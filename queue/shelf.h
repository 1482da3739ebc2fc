/* queue/shelf.h - one ordinary file a message: what is large, and what stays.
 *
 * Shape   shelf/HH/NUMBER, HH the last 8 bits of the number in hexadecimal. A text of a few lines, the envelope as
 *         the qmail-queue protocol has it, line feeds up to a multiple of 4096 bytes, then the message to the end of
 *         the file:
 *             portero message 1 head 4096
 *             number 4711
 *             born 1763930000
 *             uid 1000 pid 4712
 *             flags 0
 *             envelope 34 recipients 1
 *             bytes 200000
 *             check 0123456789abcdef
 *             head-check 0123456789abcdef
 *             <envelope>
 *         "tail -c +4097 FILE" is the message. check is the keyed sum of the message, head-check of the lines
 *         before it and the envelope (queue/checksum.h).
 * Errors  -1 with errno; EBADMSG: it is no such file, or damaged.
 * Source  queue/STATES.md: the name stands before the flush. */
#ifndef QUEUE_SHELF_H
#define QUEUE_SHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "queue/checksum.h"
#include "queue/record.h"

enum { SHELF_ROOM = 4096, SHELF_FOLDERS = 256 };

struct shelf_file {
	uint64_t id;
	struct record_message about;
	size_t head;    /* bytes before the message */
	uint64_t check; /* of the message */
	char *envelope; /* about.envelope bytes; shelf_open allocates it */
};

/* The folder of all, and its folders, which are made where they are missing. */
int shelf_folders(int shelf) __attribute__((warn_unused_result));

/* A file under its name, empty. Until shelf_finish it has no head: whoever finds it later knows that it is no
 * message. */
int shelf_create(int shelf, uint64_t id) __attribute__((warn_unused_result));

/* The head, then the flush. The message stands in fd from SHELF_ROOM on; a head that needs more room moves it. flush:
 * false leaves that to a syncfs(2) of the caller. */
int shelf_finish(int fd, const struct checksum *c, const struct shelf_file *f, bool flush)
	__attribute__((warn_unused_result));

/* Reads the head. The descriptor is at the first byte of the message. */
int shelf_open(int shelf, uint64_t id, const struct checksum *c, struct shelf_file *f)
	__attribute__((warn_unused_result));

/* Reads it to its end: is the message what it was? */
int shelf_verify(int fd, const struct checksum *c, const struct shelf_file *f)
	__attribute__((warn_unused_result));

int shelf_remove(int shelf, uint64_t id);

/* "HH" of a folder's number, and of the folder that a message is in. */
void shelf_folder(char name[3], unsigned folder);
unsigned shelf_folder_of(uint64_t id);

#endif
