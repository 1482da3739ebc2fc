/* gate.h - the rules of -x in front of one program.
 *
 * Shape   what the options say, and one call for the client of this process. The file is read once and
 *         stays in memory until the process becomes the program.
 * Errors  as obey_rules (net/obey.h). */
#ifndef TCP_ENV_GATE_H
#define TCP_ENV_GATE_H

#include "net/addr.h"
#include "net/obey.h"
#include "net/inquiry.h"

struct gate {
	const char *rules; /* NULL: everybody passes */
	bool may_miss;
	bool unsafe_env;
};

/* Its part of getopt_long(3). */
#define GATE_LETTERS "x:X"
#define GATE_LONG                                    \
	{                                            \
		"unsafe-env", no_argument, NULL, 'U' \
	}
bool gate_option(struct gate *g, int option, const char *value); /* false: it is none of ours */

/* A name that its addresses do not confirm matches no rule. A client that is denied has been told the rule's
 * DIEMSG on descriptor 0. */
enum obey gate_pass(const struct gate *g, const struct addr *client, const struct found *f, struct env *env,
	struct obeyed *o) __attribute__((warn_unused_result));

#endif
