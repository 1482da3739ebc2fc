/* queue/route_rules.h - local or remote, and the address as it is delivered: what qmail-send makes of a recipient.
 *
 * Shape   texts in memory in, a choice out. In this order: "@envnoathost" behind what has no '@'; percenthack; locals;
 *         virtualdomains, where the first hit counts of the whole address, its domain, each ".suffix" of it, the
 *         longest first, and the empty key. A value "pre" makes "pre-address", local; an empty one: remote.
 *         Keys are compared without case, the case of the address is kept. The later of two equal keys counts.
 * Cost    a key is found in a sorted list; a domain has as many suffixes as dots.
 * Errors  -1 with ENOMEM; ROUTE_TOO_LONG: it does not fit, which a prefix of virtualdomains can bring about.
 * Source  qmail-send(8), rewrite() of qmail-send. */
#ifndef QUEUE_ROUTE_RULES_H
#define QUEUE_ROUTE_RULES_H

#include <stddef.h>

#include "base/str.h"
#include "mail/control.h"

enum {
	ROUTE_ADDRESS = 4096
}; /* bytes that are enough for an address of an envelope and a prefix of sane length */

enum route { ROUTE_LOCAL, ROUTE_REMOTE, ROUTE_TOO_LONG };

struct route_key {
	const char *key;
	size_t n;
	const char *value; /* "" in a list without colons */
};

struct route_keys {
	struct route_key *sorted;
	size_t count;
};

struct route_rules {
	struct route_keys locals, percenthack, virtualdomains;
	const char *envnoathost;
};

/* Points into the items. With a colon, lines without one are none. */
int route_keys_init(struct route_keys *k, const struct control_list *list, bool colon)
	__attribute__((warn_unused_result));
void route_keys_free(struct route_keys *k);

/* to is emptied first. */
enum route route_rewrite(const struct route_rules *r, const char *recipient, struct str *to)
	__attribute__((warn_unused_result));

#endif
