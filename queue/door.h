/* queue/door.h - how mail is handed in: both sides of both forms.
 *
 * Shape   a command speaks the qmail-queue protocol: the message is on descriptor 0, then the envelope
 *         (mail/envelope.h) on 1, error text on 6 and 4 with exit code 82; the exit code is the answer. Whoever
 *         dies before the last NUL of the envelope has handed in nothing.
 *         "unix:PATH" is the socket of a queue server (queue/door_wire.h): one connection, message after message,
 *         and no process is started.
 * Errors  answers are K (kept), Z (try again) or D (never) and a text of one line that ends in the status
 *         code, "(#4.3.0)", as QMQP and qmail have them.
 * Source  qmail-queue(8); portero-queue(7). */
#ifndef QUEUE_DOOR_H
#define QUEUE_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/broker.h"
#include "mail/envelope.h"
#include "queue/door_answer.h"
#include "queue/door_socket.h"

/* ---- the side that hands in ---------------------------------------------------------------------------- */

struct door {
	bool is_socket; /* its form: a socket, else a command */
	uint64_t qp;    /* of the message: its number at the server, or the pid of its program */
	bool resident; /* environ changes: tell each program what it says of the connection (net/resident.h) */
	char *const *more; /* NULL, or variables of that kind which come before those of environ */

	struct broker broker; /* starts the queue program for us; its sock is -1: no door */
	int message;
	int envelope;
	int errors;

	struct door_socket socket;
};

/* A command: starts the broker, a process that can do one thing only: run it, once a message. It is forked here
 * so that the caller may lock itself afterwards. The command is split at blanks; a word without a slash is looked
 * for in PATH. null_log: the program's descriptor 2 is /dev/null, not ours.
 * A socket: connects; later only sendto, read, poll and close are called (and getpid).
 * NULL, or a sentence; the door may be used then all the same, and answers Z. */
const char *door_open(struct door *d, const char *command, int null_log)
	__attribute__((warn_unused_result));

/* A message begins. -1: the program could not be started, or there is no server; answer says why. */
int door_begin(struct door *d, struct door_answer *answer) __attribute__((warn_unused_result));

/* -1: the queue does not read on (EPIPE: it has ended; ETIMEDOUT). door_end will know why. */
int door_write(struct door *d, const char *p, size_t n) __attribute__((warn_unused_result));

/* Hands over the envelope and waits for the answer. */
void door_end(struct door *d, const struct envelope *e, struct door_answer *answer);

/* Ends without an envelope: nothing is kept. */
void door_abort(struct door *d);

/* Nothing more goes through this door: it was never opened, has been given up, or the server has closed the
 * connection meanwhile. Not asked in mid-message. Costs a poll. */
bool door_lost(const struct door *d);

/* The broker ends, and is waited for: whoever runs us may be a process 1 that never waits for strangers. */
void door_close(struct door *d);

/* ---- the side of the queue program --------------------------------------------------------------------- */

/* Reads the next piece of the message; 0 at its end, -1 with errno. */
ssize_t door_read_message(char *p, size_t n);

/* Reads the envelope into e's memory. DOOR_KEPT: it is whole. Larger than the memory: DOOR_CUSTOM, the
 * text is already told. */
enum door_exit door_read_envelope(struct envelope *e);

/* Text for descriptors 6 and 4, to be followed by exit DOOR_CUSTOM. letter is Z or D. */
void door_tell(char letter, const char *text);

#endif
