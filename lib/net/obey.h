/* net/obey.h - look a client up in the rules and do what they say: deny, or set variables.
 *
 * Shape   one call a client, shared by all who have -x. On OBEY_ALLOW the rule's variables are in the
 *         environment. Its texts live until the next rules_refresh.
 * Unsafe  a variable that changes what programs run (net/rules_unsafe.h) makes the rule one that cannot be
 *         obeyed, unless unsafe_env: half a rule is another rule.
 * Errors  OBEY_ERROR with the errno of rules_refresh and rules_find, ENOMEM, or EPERM: o->unsafe is the name
 *         of the variable. The caller refuses: no error is an "allow".
 * Source  tcprules(1), "Rules"; DIEMSG as in ucspi-tcp6's tcpserver(1): text for a client that is denied. */
#ifndef NET_OBEY_H
#define NET_OBEY_H

#include <stdbool.h>

#include "base/env.h"
#include "net/rules.h"

enum obey { OBEY_ALLOW, OBEY_DENY, OBEY_ERROR };

struct obeyed {
	bool has_variables; /* OBEY_ALLOW: the rule set some */
	const char *diemsg; /* OBEY_DENY: for the client, or NULL */
	const char *unsafe; /* OBEY_ERROR with EPERM: "NAME=value", cut at the "=" by unsafe_len */
	int unsafe_len;
};

/* may_miss: no file is no rules (-X). */
enum obey obey_rules(struct rules *r, bool may_miss, bool unsafe_env, const struct rules_client *who,
	struct env *env, struct obeyed *o) __attribute__((warn_unused_result));

/* The text as one line, CR LF at its end, without waiting for a client that does not read. */
void obey_refuse(int fd, const char *diemsg);

#endif
