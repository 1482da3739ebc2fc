/* rules_check.h - what is written in a rules text and does not do what it looks like.
 *
 * Shape   "tcprules: warning: line N: REASON (VALUE): REMEDY", one write a finding; "note" instead of
 *         "warning" when the rule does what it says and somebody may still have meant something else.
 * Cost    rules_check_cheap looks at the address once and keeps nothing; the rest needs memory in proportion
 *         to the number of lines (a range is one entry, not 256).
 * Source  tcprules(1), "Mistakes": the table there and the one in rules_check.c say the same. */
#ifndef TCPRULES_RULES_CHECK_H
#define TCPRULES_RULES_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "tcprules/rules_text.h"

/* Why this address can never match, or NULL. The sentences live for ever. */
struct rules_finding {
	const char *reason;
	const char *remedy;
};
const struct rules_finding *rules_check_cheap(const struct rules_text *t);

/* A line that is not empty, no comment and no rule, because it has no colon. */
const struct rules_finding *rules_check_skipped(const char *line, size_t n);

/* The first findings of a run, to be said at its end: what a program prints while it compiles. */
enum { RULES_CHECK_KEPT = 20, RULES_CHECK_VALUE = 64 };
struct rules_check_list {
	struct {
		const struct rules_finding *finding;
		unsigned long line;
		char value[RULES_CHECK_VALUE];
	} kept[RULES_CHECK_KEPT];
	unsigned long count;
};
void rules_check_keep(struct rules_check_list *l, const struct rules_finding *f, unsigned long line,
	const char *value, size_t n);
void rules_check_say(const struct rules_check_list *l);

/* All of a text, findings at once. True: no line is wrong and no warning was said; notes do not count. */
bool rules_check_text(FILE *in) __attribute__((warn_unused_result));

#endif
