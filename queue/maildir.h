/* queue/maildir.h - one message safely into a Maildir.
 *
 * Shape   written to tmp/, linked into new/, then flushed, then unlinked from tmp/: in this order the name
 *         and the bytes are both on the disk when maildir_commit returns (fsync before link, the usual
 *         order, loses the name in a power cut). Names are TIME.MmicrosecondsPpid.HOST.
 * Errors  -1 with errno; whatever was written is gone again, except where the machine dies.
 * Source  maildir(5). */
#ifndef QUEUE_MAILDIR_H
#define QUEUE_MAILDIR_H

#include <stddef.h>

struct maildir {
	int dir;
	int fd;
	char name[256]; /* "tmp/NAME" */
};

int maildir_open(struct maildir *m, const char *path) __attribute__((warn_unused_result));
int maildir_create(struct maildir *m) __attribute__((warn_unused_result)); /* a file in tmp/ */
int maildir_commit(struct maildir *m) __attribute__((warn_unused_result)); /* it is delivered */
void maildir_abandon(struct maildir *m);

#endif
