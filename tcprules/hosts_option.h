/* hosts_option.h - the options of a line of hosts.allow, what stands behind its second colon.
 *
 * Errors  NULL, or a fixed sentence: what rules cannot say.
 * Source  hosts_options(5). */
#ifndef TCPRULES_HOSTS_OPTION_H
#define TCPRULES_HOSTS_OPTION_H

#include <stdbool.h>

#include "base/str.h"

struct hosts_options {
	struct str out; /* ",NAME=qVALUEq" */
	const char *verdict;
	bool closed; /* allow or deny was there: nothing may follow */
};

/* One of them; the text is changed. */
const char *hosts_option_parse(struct hosts_options *o, char *text) __attribute__((warn_unused_result));

/* Ends the option at text. Returns the next one, or NULL: that was the last. */
char *hosts_option_split(char *text);

char *hosts_option_trim(char *text);

#endif
