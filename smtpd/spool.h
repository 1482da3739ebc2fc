/* spool.h - a message while it is looked at: a file in memory without a name, with a bound.
 *
 * Shape   one is opened before the sandbox and used for message after message. What does not fit sets full; the
 *         rest is dropped then.
 * Errors  -1 with errno. */
#ifndef SMTPD_SPOOL_H
#define SMTPD_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct spool {
	int fd;
	size_t max;
	size_t size;
	bool full;
};

int spool_open(struct spool *s, const char *name, size_t max) __attribute__((warn_unused_result));
int spool_reset(struct spool *s) __attribute__((warn_unused_result));
int spool_put(struct spool *s, const void *p, size_t n) __attribute__((warn_unused_result));
/* Up to n bytes from there on; less only at the end. */
ssize_t spool_read(const struct spool *s, size_t at, void *p, size_t n) __attribute__((warn_unused_result));

#endif
