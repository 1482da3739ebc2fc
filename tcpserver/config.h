/* config.h - what the command line of tcpserver says, once and for all. */
#ifndef TCPSERVER_CONFIG_H
#define TCPSERVER_CONFIG_H

#include <stdbool.h>

#include "base/user.h"
#include "net/addr.h"

enum verbosity { QUIET, ERRORS, STATUS }; /* -q, -Q, -v */

struct config {
	enum verbosity verbosity;
	struct addr host;
	unsigned port;
	int backlog;            /* -b */
	unsigned long limit;    /* -c: connections at once */
	struct user user;       /* -g, -u, -U */
	bool announce;          /* -1 */
	const char *rules;      /* -x, or NULL */
	bool rules_may_miss;    /* -X */
	const char *banner;     /* -B, or "" */
	const char *local_name; /* -l: TCPLOCALHOST; NULL: ask */
	bool remote_name;       /* -h, -H */
	bool paranoid;          /* -p, -P: no TCPREMOTEHOST unless its addresses confirm it */
	bool remote_info;       /* -r, -R */
	int timeout_ms;         /* -t: for all look-ups of a connection together */
	bool kill_options;      /* -O, -o */
	bool no_delay;          /* -D, -d */
	char *const *program;   /* and its arguments */
};

#endif
