/* queue/history.h - what becomes of the mail, in the lines of qmail-send.
 *
 * Shape   lines are collected and written by history_flush, at the end of a turn of the loop, or when much has
 *         gathered; never half a line. In addresses and reports a newline is '/', and '%', bytes below 33 and above
 *         126 are '_'.
 * Units   messages are known by their id, deliveries by a number that begins with 1 in each process.
 * Errors  a log that takes nothing for a second must not stop the mail: lines are dropped until it does again, and
 *         then it says how many.
 * Source  qmail-send(8) and its log; log analysers depend on each of these lines. */
#ifndef QUEUE_HISTORY_H
#define QUEUE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	HISTORY_REPORT = 10000, /* bytes of a report that are kept, as qmail-send does */
	HISTORY_BUFFER = 32768
};

struct history {
	int fd;
	uint64_t deliveries;
	uint64_t lost;  /* lines since the log last took one */
	unsigned lines; /* in the buffer */
	size_t used;
	char buffer[HISTORY_BUFFER];
};

void history_init(struct history *h, int fd);
void history_flush(struct history *h);

struct history_slots {
	uint32_t local, local_most;
	uint32_t remote, remote_most;
};

void history_status(struct history *h, const struct history_slots *s, bool exitasap);
void history_exiting(struct history *h);

void history_new(struct history *h, uint64_t id);
void history_info(
	struct history *h, uint64_t id, uint64_t bytes, const char *sender, uint64_t qp, uid_t uid);
uint64_t history_start(
	struct history *h, uint64_t id, bool local, const char *recipient); /* the delivery's number */
/* letter K, D, Z, else "report mangled, will defer"; the text ends at a NUL, too. */
void history_report(struct history *h, uint64_t delivery, char letter, const char *text, size_t n);
void history_bounce(struct history *h, uint64_t id, uint64_t qp);
void history_triple_bounce(struct history *h, uint64_t id);
void history_end(struct history *h, uint64_t id);

/* "alert: ", "warning: " and whatever else there is to say. A newline in it is '/'. */
void history_say(struct history *h, const char *kind, const char *text);

#endif
