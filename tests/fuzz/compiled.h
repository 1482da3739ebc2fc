/* compiled.h - a text of rules into a cdb, each in a file that is nothing but memory. */
#ifndef FUZZ_COMPILED_H
#define FUZZ_COMPILED_H

#include <stdlib.h>
#include <unistd.h>

#include "net/rules.h"
#include "tcprules/compile.h"

static inline void empty(int fd)
{
	if (ftruncate(fd, 0) == -1 || lseek(fd, 0, SEEK_SET) == -1)
		abort();
}

/* Every line has been parsed: compiling ends the program at a bad one. Returns how many cannot match. */
static inline size_t compile(int from, int to, const char *text, size_t n)
{
	struct rules_finding_list cannot_match = { .count = 0 };
	struct rules_make *make;

	empty(from);
	empty(to);
	if (pwrite(from, text, n, 0) != (ssize_t)n)
		abort();
	make = rules_make_open(to);
	if (make == NULL)
		abort();
	compile_rules(from, make, "memory", &cannot_match);
	if (rules_make_finish(make) == -1)
		abort();
	return cannot_match.count;
}

#endif
