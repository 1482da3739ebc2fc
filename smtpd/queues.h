/* queues.h - the queue that messages go to, and others that a policy may name for one: control/queues.
 *
 * Shape   a line a queue, NAME and a command or unix:PATH; each has a door of its own, opened with the usual one's before smtpd
 *         locks itself.
 * Errors  queues_open gives NULL, or a sentence that names the line. A command or a socket that cannot be used is
 *         trouble: it answers messages with 451. */
#ifndef SMTPD_QUEUES_H
#define SMTPD_QUEUES_H

#include <stdbool.h>

#include "mail/control.h"
#include "queue/door.h"

enum { QUEUES_MAX = 8, QUEUES_NAME = 64, QUEUES_WRONG = 256 };

struct queues {
	unsigned count; /* the first is the usual one, and has no name */
	struct {
		char name[QUEUES_NAME];
		struct door door;
	} at[QUEUES_MAX + 1];
	const char *trouble; /* NULL, or a sentence about the usual one's command */
	char wrong[QUEUES_WRONG];
};

/* resident: as in struct door. */
const char *queues_open(struct queues *q, const char *usual, const struct control_list *others,
	bool null_log, bool resident) __attribute__((warn_unused_result));

/* "": the usual one. NULL: there is no queue of this name. */
struct door *queues_find(struct queues *q, const char *name);

/* One had to be given up, or its server is gone: this process ends with its session. Between messages. */
bool queues_lost(const struct queues *q);

void queues_close(struct queues *q);

#endif
