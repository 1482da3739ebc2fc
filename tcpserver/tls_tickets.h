/* tls_tickets.h - the keys that seal session tickets, in a file that all helpers of one folder share.
 *
 * Shape   DIR/ticket.keys, mode 0600: a line a key, the newest first: the second of its making and 160
 *         hexadecimal digits. Two keys at most. It is made when it is missing, and a new key is put in front
 *         when the newest is older than TICKETS_AGE_S: by rename(2), under flock(2) on DIR.
 * Errors  a folder that cannot be written: the keys are those of this process alone, told of once. */
#ifndef TCPSERVER_TLS_TICKETS_H
#define TCPSERVER_TLS_TICKETS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "net/tls.h"
#include "tcpserver/tls_stamp.h"

enum { TICKETS_AGE_S = 12 * 3600, TICKETS_LIFE_S = 12 * 3600, TICKETS_BYTES = 1024 };

struct tls_tickets {
	const char *dir;
	char path[PATH_MAX];
	struct tls_stamp stamp;
	struct tls_ticket_key key[TLS_TICKETS];
	time_t made[TLS_TICKETS];
	size_t count;
	bool told;
};

void tls_tickets_open(struct tls_tickets *t, const char *dir);
bool tls_tickets_look(struct tls_tickets *t); /* true: the keys are others than before */

/* The text of the file; false: it is none, and nothing is changed. */
bool tls_tickets_parse(struct tls_tickets *t, const char *text) __attribute__((warn_unused_result));
void tls_tickets_format(const struct tls_tickets *t, struct str *to);

#endif
