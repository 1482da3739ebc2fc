/* policy_line.h - a line of control/policies: "STAGES FAIL SECONDS WHERE ...".
 *
 * Shape   parsed in place: words and path point into the text, which must live as long.
 * Errors  NULL is success; else a fixed sentence that says what is wrong with the line and what would be right.
 * Source  portero-policy(7). */
#ifndef SMTPD_POLICY_LINE_H
#define SMTPD_POLICY_LINE_H

#include <stdbool.h>

#include "mail/policy_wire.h"

enum { POLICY_LINE = 1024, POLICY_WORDS = 32, POLICY_SECONDS = 600 };

#define POLICY_STAGE_BIT(stage) (1u << (stage))

struct policy_line {
	unsigned stages; /* bits; text brings end with it */
	bool accepts;    /* FAIL is accept */
	int timeout_ms;
	const char *name; /* for people: the program without its path, or "unix:PATH" */
	const char *path; /* of a socket; NULL: a command */
	char *words[POLICY_WORDS + 1];
};

const char *policy_line_parse(struct policy_line *l, char *text) __attribute__((warn_unused_result));

/* Is it to be asked at this stage? */
static inline bool policy_line_wants(const struct policy_line *l, enum policy_stage stage)
{
	return (l->stages & POLICY_STAGE_BIT(stage)) != 0;
}

#endif
