/* rules_finding.h - what can be wrong with a line of a rules text, and how it is said.
 *
 * Shape   "tcprules: warning: line N: REASON (VALUE): REMEDY", one write a finding; "note" instead of
 *         "warning" when the rule does what it says and somebody may still have meant something else.
 * Source  tcprules(1), "Mistakes": the table there and the one in rules_finding.c say the same. */
#ifndef TCPRULES_RULES_FINDING_H
#define TCPRULES_RULES_FINDING_H

#include <stdbool.h>
#include <stddef.h>

enum finding {
	NO_COLON,
	NO_DOT,
	EMPTY_RANGE,
	BLANK,
	OCTET,
	ZEROS,
	STAR,
	NO_ADDRESS,
	NO_NETWORK,
	NO_EQUALS,
	INFO_PREFIX,
	HOST_BITS,
	RANGE_CUT,
	RANGE_OPEN,
	DUPLICATE,
	SHADOWED,
	VARIABLE_BLANK,
	VARIABLE_EMPTY,
	VARIABLE_UNSAFE,
	VARIABLE_VALUE,
	NUL_BYTE,
	NO_RULES,
	DENY_VARIABLES,
	NAME_CASE,
	NAME_TRUST,
	NO_DEFAULT,
};

/* The sentences live for ever. */
struct rules_finding {
	const char *reason;
	const char *remedy;
};
const struct rules_finding *rules_finding(enum finding which);
enum finding rules_finding_number(const struct rules_finding *f);
bool rules_finding_is_note(enum finding which);

enum { RULES_FINDING_VALUE = 64 };
void rules_finding_say(
	const char *kind, const struct rules_finding *f, unsigned long line, const char *value, size_t n);

/* The first findings of a run, to be said at its end: what a program prints while it compiles. */
enum { RULES_FINDING_KEPT = 20 };
struct rules_finding_list {
	struct {
		const struct rules_finding *finding;
		unsigned long line;
		char value[RULES_FINDING_VALUE];
	} kept[RULES_FINDING_KEPT];
	unsigned long count;
};
void rules_finding_keep(struct rules_finding_list *l, const struct rules_finding *f, unsigned long line,
	const char *value, size_t n);
void rules_finding_say_all(const struct rules_finding_list *l);

#endif
