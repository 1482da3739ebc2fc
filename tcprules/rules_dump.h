/* rules_dump.h - a rules cdb back to text that tcprules(1) makes the same file of.
 *
 * Shape   one line a record, in their order. What no line can say is left out, with a warning each.
 * Errors  false when something was left out; a file that cannot be read ends the program with 111. */
#ifndef TCPRULES_RULES_DUMP_H
#define TCPRULES_RULES_DUMP_H

#include <stdbool.h>
#include <stdio.h>

bool rules_dump(const char *path, FILE *out) __attribute__((warn_unused_result));

#endif
