/* queue/route.h - the control files that say where a recipient goes: locals, virtualdomains, percenthack,
 * envnoathost, me.
 *
 * Shape   route_open reads them; route_refresh, before the recipients of a message are looked at, reads them again
 *         when one of them has changed: all together, or none. No signal is needed.
 * Cost    a stat a file. For SETTLE_MS after a change files are read each time: another change may bear the same date.
 * Errors  -1 with errno, and name is the file. After a route_refresh that failed what was read before still counts
 *         and the next one tries again; it is for the caller to say so, and not too often.
 *         ENOENT, "locals": neither it nor me is there.
 * Source  qmail-control(5); qmail-send reads locals and virtualdomains again after a HUP and the others never. */
#ifndef QUEUE_ROUTE_H
#define QUEUE_ROUTE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "queue/route_rules.h"

enum { ROUTE_FILES = 5 };

struct route_texts {
	struct control_list locals, virtualdomains, percenthack;
	const char *envnoathost, *me; /* NULL: not there */
	struct stat state[ROUTE_FILES];
	struct route_rules rules;
};

struct router {
	int control; /* the directory; the caller's */
	struct route_texts now;
	const char *name; /* of the file that could not be read */
};

int route_open(struct router *r, int control) __attribute__((warn_unused_result));
int route_refresh(struct router *r) __attribute__((warn_unused_result));
void route_close(struct router *r);

#endif
