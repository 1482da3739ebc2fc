/* mail/base64.h - base64 without line ends, strictly.
 *
 * Shape   any bytes in and out: neither side is NUL-terminated.
 * Errors  base64_decode: NULL, or a sentence about the text.
 * Source  RFC 4648 sections 3.3, 3.5 and 4: nothing outside the alphabet, padding where it belongs, unused bits
 *         are zero. So no two texts mean the same bytes. */
#ifndef MAIL_BASE64_H
#define MAIL_BASE64_H

#include <stddef.h>

/* *len is what the text means, even if to has no room for it: nothing behind to[cap - 1] is written. */
const char *base64_decode(const char *p, size_t n, char *to, size_t cap, size_t *len)
	__attribute__((warn_unused_result));

#define BASE64_LENGTH(n) (((n) + 2) / 3 * 4)

/* Returns BASE64_LENGTH(n). */
size_t base64_encode(const char *p, size_t n, char *to);

#endif
