/* rules_quote.h - a byte that can stand around a value in a rules text.
 *
 * Shape   a quotation mark where that is possible; never a newline, and no blank, which the end of a line
 *         loses. False: all bytes are in the value. */
#ifndef TCPRULES_RULES_QUOTE_H
#define TCPRULES_RULES_QUOTE_H

#include <stdbool.h>
#include <stddef.h>

bool rules_quote_find(const char *value, size_t n, char *quote) __attribute__((warn_unused_result));

#endif
