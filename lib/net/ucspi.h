/* net/ucspi.h - the variables of a UCSPI server and its programs, by name.
 *
 * Shape   an array of texts, one a variable; NULL is "not set". TCPREMOTEINFO may be set and empty.
 * Source  ucspi-tcp's tcpserver(1) and tcp-environ(5): PROTO, TCPLOCALIP and its family. */
#ifndef NET_UCSPI_H
#define NET_UCSPI_H

#include "base/env.h"

enum ucspi_var {
	UCSPI_PROTO,
	UCSPI_LOCALIP,
	UCSPI_LOCALPORT,
	UCSPI_LOCALHOST,
	UCSPI_REMOTEIP,
	UCSPI_REMOTEPORT,
	UCSPI_REMOTEHOST,
	UCSPI_REMOTEINFO,
	UCSPI_VARS
};

/* In a program: what its server said. The texts belong to the environment. */
void ucspi_read(const char *values[UCSPI_VARS]);

/* In a server: set or remove each of them. -1 with ENOMEM. */
int ucspi_set(struct env *e, const char *const values[UCSPI_VARS]) __attribute__((warn_unused_result));

#endif
