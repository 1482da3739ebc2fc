/* base/num.h - text to number, whole or not at all.
 *
 * Shape   decimal digits only: no sign, no blank, nothing behind. *out is untouched on an error.
 * Errors  NULL is success; else a fixed sentence that fits behind the offending text. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>

const char *num_parse(const char *text, unsigned long min, unsigned long max, unsigned long *out)
	__attribute__((warn_unused_result));
const char *num_parse_n(const char *text, size_t n, unsigned long min, unsigned long max,
	unsigned long *out) __attribute__((warn_unused_result));

/* The leading digits of a text, as qmail reads its integers; 0 digits give 0. Saturates at ULONG_MAX.
 * Returns the number of digits. Source: scan_ulong(3) in qmail-control(5) files. */
size_t num_leading(const char *text, size_t n, unsigned long *out);

#endif
