/* compile.h - a rules text on a descriptor into records for net/rules.h.
 *
 * Memory  the longest line; of IPv4 networks, which have to wait for the end, the variables and 28 bytes
 *         a line, whatever the number of their keys; what rules_make needs (net/rules.h).
 * Errors  ends the program: 100 for a line that is none, 111 for what the system refuses.
 * Source  tcprules(1) of ucspi-tcp for the order of the records; rules_text.h for a line. */
#ifndef TCPRULES_COMPILE_H
#define TCPRULES_COMPILE_H

#include "net/rules.h"
#include "tcprules/rules_finding.h"

/* Everything that can be read from the descriptor; the name of the file behind make is for messages.
 * Rules that cannot match are put into the list. */
void compile_rules(
	int input, struct rules_make *make, const char *temporary, struct rules_finding_list *cannot_match);

_Noreturn void compile_die_write(const char *temporary);

#endif
