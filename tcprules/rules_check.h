/* rules_check.h - what is written in a rules text and does not do what it looks like: tcprules --check.
 *
 * Cost    memory in proportion to the number of lines (a range is one entry, not 256). */
#ifndef TCPRULES_RULES_CHECK_H
#define TCPRULES_RULES_CHECK_H

#include <stdbool.h>
#include <stdio.h>

/* All of a text, findings at once. True: no line is wrong and no warning was said; notes do not count. */
bool rules_check_text(FILE *in) __attribute__((warn_unused_result));

#endif
