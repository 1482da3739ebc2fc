/* base/cr.h - carriage returns at the ends of lines: put there, mended, taken away.
 *
 * Shape   any bytes in any pieces; struct cr remembers what one piece must know of the last. Zeroed it is at
 *         the start of a stream. Input and output do not overlap.
 * Units   output is at most 2 * n bytes, of cr_delete n + 1; the length is returned.
 * Source  addcr(1), fixcrio(1) and delcr(1) of ucspi-tcp. */
#ifndef BASE_CR_H
#define BASE_CR_H

#include <stdbool.h>
#include <stddef.h>

struct cr {
	bool after_cr; /* the last byte was a CR; cr_delete has not written it yet */
};

size_t cr_add(const char *in, size_t n, char *out);                  /* before every LF */
size_t cr_mend(struct cr *c, const char *in, size_t n, char *out);   /* before every LF that has none */
size_t cr_delete(struct cr *c, const char *in, size_t n, char *out); /* one before every LF */
size_t cr_delete_end(struct cr *c, char out[1]);                     /* the input has ended */

#endif
