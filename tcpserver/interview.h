/* interview.h - the names of both ends of one connection and the far host's ident answer, in one call.
 *
 * Shape   waits until all is known or the deadline has passed; what a server with many connections does
 *         instead is lookup.h.
 * Units   one timeout for all of it, in ms.
 * Errors  what cannot be found out is empty. */
#ifndef TCPSERVER_INTERVIEW_H
#define TCPSERVER_INTERVIEW_H

#include "net/ends.h"
#include "tcpserver/names.h"

struct interview {
	bool local_host, remote_host, remote_info; /* what to ask for */
	int timeout_ms;
};

void interview(const struct interview *what, const struct ends *e, struct names *found);

#endif
