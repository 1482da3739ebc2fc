/* config.h - what the command line of tcpserver says, once and for all. */
#ifndef TCPSERVER_CONFIG_H
#define TCPSERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/user.h"
#include "net/addr.h"
#include "tcpserver/limits.h"
#include "tcpserver/logline.h"

enum verbosity { QUIET, ERRORS, STATUS }; /* -q, -Q, -v */

enum { CONFIG_PLACES = 64 };

/* Where to listen: an address and a port, unix:PATH, fd:N. */
struct place {
	const char *host; /* the operand as it was given */
	const char *port; /* NULL: host says it all */
};

struct config {
	enum verbosity verbosity;
	enum logline_form form; /* --log */
	struct place places[CONFIG_PLACES];
	size_t place_count;
	int backlog;                  /* -b */
	unsigned long limit;          /* -c: connections at once */
	struct user user;             /* -g, -u, -U */
	bool announce;                /* -1 */
	int ready_fd;                 /* --ready-fd, or -1 */
	const char *rules;            /* -x, or NULL */
	bool rules_may_miss;          /* -X */
	bool unsafe_env;              /* --unsafe-env */
	const char *banner;           /* -B, or "" */
	const char *local_name;       /* -l: TCPLOCALHOST; NULL: ask */
	bool remote_name;             /* -h, -H */
	bool paranoid;                /* -p, -P: no TCPREMOTEHOST unless its addresses confirm it */
	bool remote_info;             /* -r, -R */
	int timeout_ms;               /* -t: for all look-ups of a connection together */
	bool kill_options;            /* -O, -o */
	bool no_delay;                /* -D, -d */
	bool proxy;                   /* --proxy */
	unsigned long resident;       /* --resident: programs that may wait for the next client; 0: none */
	unsigned long resident_bound; /* connections that one of them serves */
	const char *tls;              /* --tls: the folder of certificates, or NULL */
	bool tls_wrap;                /* --tls-mode=wrap */
	const char *tls_user;         /* --tls-user, or NULL */
	bool tls_client_certs;        /* --tls-client-certs */
	int drain_ms;                 /* --drain; -1: do not wait */
	struct limits_rules limits;   /* -C, --net, --rate, --penalty */
	char *const *self;            /* our own arguments, for the binary that takes our place */
	char *const *program;         /* and its arguments */
};

#endif
