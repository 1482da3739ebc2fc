/* queue/door.h - how mail is handed in: both sides of the qmail-queue protocol.
 *
 * The message is on descriptor 0, then the envelope (mail/envelope.h) on 1, error text on 6 and 4 with
 * exit code 82; the exit code is the answer. Whoever dies before the last NUL of the envelope has handed
 * in nothing.
 *
 * Errors  answers are K (kept), Z (try again) or D (never) and a text of one line that ends in the status
 *         code, "(#4.3.0)", as QMQP and qmail have them.
 * Source  qmail-queue(8); exit codes and texts of qmail.c; custom errors of netqmail. */
#ifndef QUEUE_DOOR_H
#define QUEUE_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/broker.h"
#include "mail/envelope.h"

enum { DOOR_TEXT = 256 };

/* ---- the side that hands in ---------------------------------------------------------------------------- */

struct door {
	struct broker broker; /* starts the queue program for us; its sock is -1: no door */
	int message;
	int envelope;
	int errors;
	pid_t pid;     /* of the queue program */
	bool resident; /* environ changes: tell each program what it says of the connection (net/resident.h) */
	char *const *more; /* NULL, or variables of that kind which come before those of environ */
};

struct door_answer {
	char letter; /* K, Z, D */
	char text[DOOR_TEXT];
};

/* Starts the broker, a process that can do one thing only: run the queue's command, once a message. It is
 * forked here so that the caller may lock itself afterwards. The command is split at blanks; a word
 * without a slash is looked for in PATH. null_log: the program's descriptor 2 is /dev/null, not ours.
 * NULL, or a sentence about the command. */
const char *door_open(struct door *d, const char *command, int null_log)
	__attribute__((warn_unused_result));

/* A message begins: the program runs. -1: it could not be started, answer says why. */
int door_begin(struct door *d, struct door_answer *answer) __attribute__((warn_unused_result));

/* -1: the program does not read on (EPIPE: it has ended; ETIMEDOUT). door_end will know why. */
int door_write(struct door *d, const char *p, size_t n) __attribute__((warn_unused_result));

/* Hands over the envelope and waits for the answer. */
void door_end(struct door *d, const struct envelope *e, struct door_answer *answer);

/* Ends without an envelope: nothing is kept. */
void door_abort(struct door *d);

/* The broker ends, and is waited for: whoever runs us may be a process 1 that never waits for strangers. */
void door_close(struct door *d);

/* ---- the side of the queue program --------------------------------------------------------------------- */

enum door_exit {
	DOOR_KEPT = 0,
	DOOR_ADDRESS_TOO_LONG = 11,
	DOOR_TIMEOUT = 52,
	DOOR_WRITE = 53,
	DOOR_READ = 54,
	DOOR_FILES = 62,
	DOOR_CUSTOM = 82,
	DOOR_FORMAT = 91,
	DOOR_NO_EXEC = 120
};

/* Reads the next piece of the message; 0 at its end, -1 with errno. */
ssize_t door_read_message(char *p, size_t n);

/* Reads the envelope into e's memory. DOOR_KEPT: it is whole. Larger than the memory: DOOR_CUSTOM, the
 * text is already told. */
enum door_exit door_read_envelope(struct envelope *e);

/* Text for descriptors 6 and 4, to be followed by exit DOOR_CUSTOM. letter is Z or D. */
void door_tell(char letter, const char *text);

#endif
