/* base/utf8.h - is a text UTF-8?
 *
 * Source  RFC 3629 section 4: no overlong form, no surrogate, nothing above U+10FFFF. ASCII is UTF-8. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool utf8_is(const char *p, size_t n) __attribute__((pure));

#endif
