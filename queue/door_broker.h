/* queue/door_broker.h - between the side that hands in (door.c) and its broker (door_broker.c): nobody else's.
 *
 * Shape   a SOCK_SEQPACKET pair. A request is a packet; it is answered by a report when the program has been
 *         started, with our ends of its three pipes as SCM_RIGHTS, and by another when it has ended. */
#ifndef QUEUE_DOOR_BROKER_H
#define QUEUE_DOOR_BROKER_H

#include <sys/types.h>

#include "net/resident.h"

enum { MESSAGE, ENVELOPE, ERRORS, PIPES };

enum {
	ERROR_FD = 6,    /* netqmail, notqmail */
	OLD_ERROR_FD = 4 /* simscan and others */
};

/* A request: 'r', or 'e' with the variables of the connection, in a process that serves one after another. */
struct request {
	char kind;
	char block[RESIDENT_BLOCK];
};

/* First how the start went, then how the program ended. */
struct report {
	int error;  /* errno of the start, 0 */
	int status; /* of waitpid */
	pid_t pid;
};

/* Starts the broker, and gives its socket and pid. NULL, or a sentence. */
const char *broker_start(const char *command, int null_log, int *sock, pid_t *pid)
	__attribute__((warn_unused_result));

#endif
