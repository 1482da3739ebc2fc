/* rules_text.h - one line of a rules text into a record for net/rules.h.
 *
 * Shape   ADDRESS:deny or ADDRESS:allow, then any number of ,NAME=qVALUEq where q is any byte. A range
 *         (1.2.3.37-53) becomes one key a number. Lines that say nothing (comments, empty ones, no colon)
 *         are no rules and no errors.
 * Ours    1.2.3.4/BITS, [IPv6], [IPv6]/BITS and INFO@[IPv6]: lines that are errors or keys without a use in
 *         ucspi-tcp. Bits behind the length are cleared. An IPv4 network becomes the classic keys that are
 *         in it, 256 at most: 10.0.0.0/9 is 10.0. to 10.127., and [::ffff:10.0.0.0]/105 is the same.
 * Order   where keys are equal, what is classic counts before our networks, and of these the longer one,
 *         then the earlier line: the records of lines with is_late go behind all others, by falling bits.
 * Units   the line is n bytes without its newline and may hold any byte.
 * Errors  NULL, or a fixed sentence.
 * Source  tcprules(1) of ucspi-tcp, whose bytes and errors these are for all the rest: nothing is trimmed
 *         at the front, nothing is lower-cased, nothing is checked to be an address. */
#ifndef TCPRULES_RULES_TEXT_H
#define TCPRULES_RULES_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "net/addr.h"

struct rules_text {
	bool is_rule; /* false: the line says nothing */
	const char *address;
	size_t address_len;
	bool is_range;
	size_t left;        /* in a range: the number from here …; in a network: the bytes of INFO@ */
	size_t right;       /* … to here is replaced by each of next … last */
	unsigned long next; /* keys of a range or an IPv4 network that are still to come */
	unsigned long last;
	bool is_net;     /* one of our own addresses */
	bool is_late;    /* one of IPv4: see Order */
	struct addr net; /* its first one */
	unsigned bits;   /* of all 128, so 1.2.3.4/8 has 104 */
};

/* Without blanks and tabs at the end. */
size_t rules_text_trim(const char *line, size_t n);

/* A trimmed line. Its data is put into *data, whose room must be at least n + 1 bytes. */
const char *rules_text_parse(const char *line, size_t n, struct rules_text *t, struct str *data)
	__attribute__((warn_unused_result));

/* A line with is_late again, from what it was parsed into: bits is 0 to 32. The bytes of INFO@, if there are
 * any, must live on. */
void rules_text_of_v4(
	struct rules_text *t, const char *info, size_t info_len, const unsigned char v4[4], unsigned bits);

/* One key after the other, false when there are no more. Room: RULES_TEXT_KEY more than the line. */
enum { RULES_TEXT_KEY = 24 };
bool rules_text_key(struct rules_text *t, struct str *key);

#endif
