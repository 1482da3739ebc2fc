/* admit.h - a connection and what is known of it, into a verdict and an environment.
 *
 * Shape   everything happens in the server's own process and without waiting: a client that is refused
 *         costs no other. The environment belongs to the struct and is good until the next admit_decide.
 * Errors  ADMIT_DROP: no verdict can be had (rules unreadable, out of memory, a rule that cannot be obeyed),
 *         so nobody is let in; admit_explain says why, once a minute, or with -v for each client.
 * Source  tcpserver(1) of ucspi-tcp for the order of variables; the rule's come last and may replace any.
 *         UNIXREMOTEPID and its family: unixserver(1) of ucspi-unix. */
#ifndef TCPSERVER_ADMIT_H
#define TCPSERVER_ADMIT_H

#include <stdint.h>

#include "base/env.h"
#include "net/ends.h"
#include "net/rules.h"
#include "tcpserver/config.h"
#include "tcpserver/names.h"

enum admit { ADMIT_OK, ADMIT_DENY, ADMIT_LIMIT, ADMIT_DROP };

struct admit_desk {
	const struct config *config;
	struct rules *rules; /* NULL without -x */
	struct env env;
	bool has_variables; /* of a rule, in env: the last ADMIT_OK */
	enum limit limit;   /* of the last ADMIT_LIMIT: which one */
	const char *diemsg; /* of the last refusal: for the client, or NULL */
	int drop_errno;     /* of the last ADMIT_DROP */
	char trouble[64];   /* and the variable that cannot be obeyed, or "" */
	int64_t quiet_until_ms;
};

int admit_open(struct admit_desk *d, const struct config *c) __attribute__((warn_unused_result));
void admit_close(struct admit_desk *d);

/* Through a Unix socket: fd asks for the peer's credentials, path is the socket's. */
struct admit_unix {
	int fd;
	const char *path;
};

enum admit admit_decide(struct admit_desk *d, const struct ends *ends, const struct names *names,
	const struct admit_unix *through);
enum admit admit_bad_rule(struct admit_desk *d, const char *variable); /* its value is none: ADMIT_DROP */
void admit_explain(struct admit_desk *d);                              /* the last ADMIT_DROP */

/* Does the rule for this address set PROXY="1"? */
bool admit_is_proxy(struct admit_desk *d, const struct ends *ends);

/* The three texts as the client's program sees them; NULL is "not set". */
const char *admit_local_host(const struct config *c, const struct names *n);
const char *admit_remote_host(const struct config *c, const struct names *n);
const char *admit_remote_info(const struct names *n);

#endif
