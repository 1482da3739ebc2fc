/* listeners.h - every socket that clients come in by.
 *
 * Shape   those that a supervisor has opened for us (LISTEN_FDS: sd_listen_fds(3)) or that the server whose
 *         place we take has left us, else those that the command line names. "any" is two sockets: 0.0.0.0
 *         and ::, with the same port.
 * Errors  dies with the words of ucspi-tcp: only main calls these two.
 * Source  tcpserver(1); sd_listen_fds(3); sd_notify(3). */
#ifndef TCPSERVER_LISTENERS_H
#define TCPSERVER_LISTENERS_H

#include <stddef.h>

#include "tcpserver/config.h"

enum { LISTENERS = 2 * CONFIG_PLACES };

struct listener {
	int fd;           /* close-on-exec, non-blocking */
	const char *path; /* of a Unix socket, else NULL; "" when nobody has told us */
};

struct listeners {
	struct listener at[LISTENERS];
	size_t count;
	unsigned port; /* of the first */
};

unsigned listeners_port(const char *text); /* a number or a service */
void listeners_open(struct listeners *l, const struct config *c);
void listeners_close(struct listeners *l);

/* What is set on a listener holds for every connection that it accepts. -1 with errno. */
int listeners_prepare(const struct listeners *l, const struct config *c)
	__attribute__((warn_unused_result));

/* We accept: -1 prints the port, --ready-fd gets a newline, NOTIFY_SOCKET gets READY=1. */
void listeners_announce(const struct listeners *l, const struct config *c);

/* For the server that takes our place: writes descriptors as text into to, and lets them live through exec. */
void listeners_bequeath(const struct listeners *l, char *to, size_t room);
#define LISTENERS_VARIABLE "PORTERO_LISTENERS"

#endif
