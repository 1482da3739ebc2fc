/* base/str.h - bounded text on the caller's bytes.
 *
 * Shape   always NUL-terminated; len does not count the NUL. A put that does not fit changes nothing and
 *         sets full for good, so one check at the end answers for all puts: half a name is a wrong name.
 * Units   cap is the size of the memory in bytes, at least 1. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

struct str {
	char *s;
	size_t len;
	size_t cap;
	bool full;
};

void str_init(struct str *b, char *memory, size_t cap);
void str_reset(struct str *b);
void str_put(struct str *b, const void *p, size_t n);
void str_puts(struct str *b, const char *text);
void str_putc(struct str *b, char c);
void str_putu(struct str *b, unsigned long n);                  /* decimal */
void str_put02u(struct str *b, unsigned n);                     /* decimal, two digits at least */
void str_put_printable(struct str *b, const char *p, size_t n); /* bytes outside 0x20..0x7e become '?' */

#endif
