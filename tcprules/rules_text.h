/* rules_text.h - one line of a rules text into a record for net/rules.h.
 *
 * Shape   ADDRESS:deny or ADDRESS:allow, then any number of ,NAME=qVALUEq where q is any byte. A range
 *         (1.2.3.37-53) becomes one key a number. Lines that say nothing (comments, empty ones, no colon)
 *         are no rules and no errors.
 * Units   the line is n bytes without its newline and may hold any byte.
 * Errors  NULL, or a fixed sentence.
 * Source  tcprules(1) of ucspi-tcp, whose bytes and errors these are: nothing is trimmed at the front,
 *         nothing is lower-cased, nothing is checked to be an address. */
#ifndef TCPRULES_RULES_TEXT_H
#define TCPRULES_RULES_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct rules_text {
	bool is_rule; /* false: the line says nothing */
	const char *address;
	size_t address_len;
	bool is_range;
	size_t left;  /* in a range: the number from here … */
	size_t right; /* … to here is replaced by each of next … last */
	unsigned long next;
	unsigned long last;
};

/* Without blanks and tabs at the end. */
size_t rules_text_trim(const char *line, size_t n);

/* A trimmed line. Its data is put into *data, whose room must be at least n + 1 bytes. */
const char *rules_text_parse(const char *line, size_t n, struct rules_text *t, struct str *data)
	__attribute__((warn_unused_result));

/* One key after the other, false when there are no more. Room: RULES_TEXT_KEY more than the line. */
enum { RULES_TEXT_KEY = 24 };
bool rules_text_key(struct rules_text *t, struct str *key);

#endif
