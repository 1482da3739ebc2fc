/* rules_explain.h - every key that is looked for, the one that counts, and what it says.
 *
 * Shape   the rules come from a descriptor, as text or as a cdb. Of a text, the line that counts is shown.
 * Errors  ends the program: 100 for a line that is none, 111 for what cannot be read. */
#ifndef TCPRULES_RULES_EXPLAIN_H
#define TCPRULES_RULES_EXPLAIN_H

#include <stdio.h>

#include "net/rules.h"

void rules_explain(int input, const struct rules_client *who, FILE *out);

#endif
