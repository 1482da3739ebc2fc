/* rules_address.h - can a client ever match this address of a rules text?
 *
 * Cost    one look at the address; nothing is kept. */
#ifndef TCPRULES_RULES_ADDRESS_H
#define TCPRULES_RULES_ADDRESS_H

#include "tcprules/rules_finding.h"
#include "tcprules/rules_text.h"

/* Why not, or NULL. */
const struct rules_finding *rules_address_check(const struct rules_text *t);

/* A line that is not empty, no comment and no rule, because it has no colon. */
const struct rules_finding *rules_address_skipped(const char *line, size_t n);

#endif
