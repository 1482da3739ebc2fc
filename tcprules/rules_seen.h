/* rules_seen.h - has an earlier line of a rules text this address?
 *
 * Shape   a table of hashes, one entry a line; of ranges that differ in their numbers only, what each adds to
 *         the ones before: 256 entries at most, so a look-up is bounded and memory is linear.
 *         Two of 2^64 hashes may be the same one day: then a warning is wrong and nothing else.
 * Errors  ends the program with 111 when there is no memory. */
#ifndef TCPRULES_RULES_SEEN_H
#define TCPRULES_RULES_SEEN_H

#include "tcprules/rules_text.h"

enum rules_seen_answer {
	RULES_SEEN_NOT,
	RULES_SEEN_SAME,
	RULES_SEEN_RANGE, /* all of this address is in ranges of earlier lines */
	RULES_SEEN_LATE, /* the same, and it is the earlier line that does not count: rules_text.h, Order */
};

struct rules_seen;

struct rules_seen *rules_seen_open(void);
void rules_seen_close(struct rules_seen *s);

/* Line numbers up to 2^32-1. *earlier is the other line. */
enum rules_seen_answer rules_seen_add(
	struct rules_seen *s, const struct rules_text *t, unsigned long line, unsigned long *earlier);

#endif
