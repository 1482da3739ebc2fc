/* base/twoway.h - copy both ways between a program and its surroundings, changing or watching the bytes.
 *
 * Shape   each way has a source, a target and a function that makes its output; one poll loop serves both.
 *         Neither way waits for the other. The end of the inward source closes the inward target; the end
 *         of the outward source ends it all, once everything is written.
 * Units   TWOWAY_IN bytes are read at once at most (struct twoway_way may say less), so that twice as many
 *         fit into a pipe that poll(2) calls writable (PIPE_BUF) and no write waits.
 * Errors  a source that cannot be read has ended. An inward target that cannot be written is closed and its
 *         source left alone; an outward one is the error of twoway_run.
 *         SIGPIPE must be ignored by the caller.
 * Source  recordio(1) and fixcrio(1) of ucspi-tcp. */
#ifndef BASE_TWOWAY_H
#define BASE_TWOWAY_H

#include <stddef.h>
#include <sys/types.h>

enum { TWOWAY_IN = 2048 };

struct twoway_way {
	int from, to; /* to is closed by us at the end; -1: this way has ended */
	size_t chunk; /* bytes a read, at most TWOWAY_IN */
	/* Writes at most 2 * n bytes to out and returns how many. n == 0: the source has ended, and what it returns does not count. */
	size_t (*make)(void *arg, const char *in, size_t n, char *out);
	void *arg;
	size_t at, len; /* what of out is not written yet */
	char out[2 * TWOWAY_IN];
};

struct twoway {
	struct twoway_way inward, outward;
};

/* 0 when the outward source has ended, -1 with errno when its target cannot be written. */
int twoway_run(struct twoway *t) __attribute__((warn_unused_result));

/* The process becomes two, with pipes between them. In the parent, where the program is to be run, it
 * returns 1: 0 and 1 are the pipes now. In the child it returns 0: the descriptors of *t are set. -1 with
 * errno and *step, the words that name what failed ("create pipe"). */
int twoway_split(struct twoway *t, const char **step) __attribute__((warn_unused_result));

#endif
