/* mail/xtext.h - xtext: any bytes as printable ones, in parameters of MAIL and RCPT and in XCLIENT.
 *
 * Source  RFC 3461 section 4: '!' to '~' stand for themselves but '+' and '=', which are written +2B and +3D,
 *         as may any other byte; the digits are 0 to 9 and A to F. */
#ifndef MAIL_XTEXT_H
#define MAIL_XTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

bool xtext_is(const char *p, size_t n); /* false for an empty one, too */

/* What it stands for, behind what to holds. False: it is none; to may have got some of it. */
bool xtext_decode(const char *p, size_t n, struct str *to) __attribute__((warn_unused_result));

#endif
