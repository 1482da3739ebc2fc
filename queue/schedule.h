/* queue/schedule.h - who is tried when: a pure function of times and outcomes.
 *
 * Shape   a recipient that is not done is waiting (it has a time), lined up (it has none), running, or at rest: held.
 *         It is tried first at once, then at birth + (floor(sqrt(age)) + k)^2, where k is 10 for the local channel and
 *         20 for the others, and age is that of its message when the attempt began. An attempt that begins later than
 *         a lifetime after the birth is the last.
 *         The channel and the hop of a recipient are what it was routed to when it was last looked at, and say only
 *         where it lines up: whoever starts an attempt routes again, and says so where that is not true any more
 *         (schedule_route). A channel of its own holds those of which nothing is known, as after a restart.
 *         A hop that does not answer several times in a row is left alone but for a probe now and then; whoever waits
 *         for it uses up neither slots nor tries.
 * Units   seconds since 1970. The clock is the caller's: a time a little earlier than before is no harm, and after
 *         one that is an hour earlier everything is due, because what was planned is worth nothing.
 * Cost    O(1) a step, and a step or so a call: whatever is due at the same moment, no call takes long. Nothing is
 *         allocated while recipients wait; lines exist while somebody is in them.
 * Errors  none after schedule_open: without memory for a line, whoever would stand in it waits ten seconds.
 * Source  nextretry(), SKIP and lifetime of qmail-send; Postfix's SCHEDULER_README for slots and dead hops. */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/table.h"

enum schedule_channel { SCHEDULE_LOCAL, SCHEDULE_REMOTE, SCHEDULE_UNROUTED };

struct schedule_options {
	uint32_t
		concurrency_local; /* 0: hold; so everywhere here, but one is the least for a user or a hop */
	uint32_t concurrency_remote; /* 0: hold */
	uint32_t per_user;           /* attempts at the same time for one local user */
	uint32_t per_hop_start; /* and for one next hop: one more for each success, one fewer for each … */
	uint32_t per_hop_most;  /* … time that it does not answer */
	uint32_t questions;     /* recipients being routed */
	uint32_t lifetime_s;
	uint32_t dead_after; /* times in a row that it does not answer */
	uint32_t probe_s;    /* then so long until the first probe, twice as long until the next, … */
	uint32_t probe_most_s;
};

extern const struct schedule_options schedule_defaults;

struct schedule;

struct schedule *schedule_open(struct table *t, const struct schedule_options *o, uint32_t now)
	__attribute__((warn_unused_result));
void schedule_close(struct schedule *s);
void schedule_configure(struct schedule *s, const struct schedule_options *o); /* from now on */

/* A recipient, its message and its hop are in the table: it is tried when its field due says. */
void schedule_add(struct schedule *s, uint32_t recipient, enum schedule_channel c);
/* The message is about to leave the table, or is of no interest any more; what runs of it is forgotten. */
void schedule_remove(struct schedule *s, uint32_t message);

enum schedule_what {
	SCHEDULE_NOTHING, /* until wake, or until something else happens */
	SCHEDULE_START, /* an attempt; on SCHEDULE_UNROUTED: find out where it goes. Then schedule_outcome, _route */
	SCHEDULE_HOPELESS /* its hop is dead and its lifetime over: it fails untried, the schedule knows it no more */
};

struct schedule_event {
	enum schedule_what what;
	uint32_t recipient;
	enum schedule_channel channel;
	bool last;     /* attempt */
	uint32_t wake; /* not later than now: call again soon, something is left to do */
};

/* After SCHEDULE_START the recipient's fields due and tries say what will be true if this attempt does not succeed. */
void schedule_next(struct schedule *s, uint32_t now, struct schedule_event *e);

/* A recipient that runs was routed. True: it goes on running; false: it lines up elsewhere, its turn will come. */
bool schedule_route(
	struct schedule *s, uint32_t recipient, enum schedule_channel c, uint32_t hop, uint32_t now);

enum schedule_outcome {
	SCHEDULE_DELIVERED,
	SCHEDULE_FAILED,
	SCHEDULE_DEFERRED,     /* by the hop */
	SCHEDULE_HOP_DOWN,     /* deferred: the hop did not answer */
	SCHEDULE_OUR_OWN_FAULT /* deferred: nothing is known of the hop */
};

/* True: it was deferred and will be tried again; else the schedule knows it no more. Deferred and false: it was the
 * last attempt, so it has failed. */
bool schedule_outcome(struct schedule *s, uint32_t recipient, enum schedule_outcome o, uint32_t now);

/* ---- what people ask for ------------------------------------------------------------------------------- */

void schedule_retry(struct schedule *s, uint32_t message, uint32_t now);
int schedule_retry_hop(
	struct schedule *s, uint32_t hop, uint32_t now); /* -1 EAGAIN: many are asked for already */
void schedule_retry_all(struct schedule *s, uint32_t now);

/* Holding is the flag of the message, which says so to all who look at it; what runs goes on. */
void schedule_hold(struct schedule *s, uint32_t message);
void schedule_release(struct schedule *s, uint32_t message);

uint32_t schedule_running(const struct schedule *s, enum schedule_channel c);
size_t schedule_bytes(const struct schedule *s); /* of memory */

/* When an attempt that begins now and is deferred is followed by the next one. */
uint32_t schedule_again(uint32_t born, uint32_t now, enum schedule_channel c);

#endif
