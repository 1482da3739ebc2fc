/* grey_table.h - what policy-grey remembers: a table of bounded size in one file, for any number of processes.
 *
 * Shape   a header with a random key, then GREY_BUCKETS buckets of GREY_WAYS entries; a name lies in the bucket
 *         that its hash says, and the entry that was used longest ago makes room. Nothing is mapped: a file that
 *         somebody cuts is an error, not a crash.
 * Cost    one read of 512 bytes and one write of 32 a look-up, under flock(2).
 * Crash   the lock goes with the process; an entry is written in one piece, within one sector. What is lost with
 *         a power cut was forgotten: senders wait once more.
 * Units   times in seconds of the wall clock.
 * Errors  -1 with errno; EPROTO: the file is none of ours. */
#ifndef SMTPD_GREY_TABLE_H
#define SMTPD_GREY_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"

enum { GREY_BUCKETS = 16 * 1024, GREY_WAYS = 16 };

struct grey_entry {
	uint64_t name; /* its hash; 0: free */
	uint32_t first_s;
	uint32_t last_s;
	uint32_t good;
	uint32_t bad;
	uint32_t spare[2];
};

struct grey_table {
	int fd;
	uint8_t key[SIPHASH_KEY];
};

int grey_table_open(struct grey_table *t, const char *path) __attribute__((warn_unused_result));

/* change gets the entry of this name, zero but for its name when there was none, and may write all but that.
 * One at a time, in all processes. */
int grey_table_visit(struct grey_table *t, const void *name, size_t n,
	void (*change)(struct grey_entry *e, void *arg), void *arg) __attribute__((warn_unused_result));

#endif
