/* queue/lanes.h - whose turn it is, of all recipients that could be tried now.
 *
 * Shape   a lane is a next hop (or a local user) of a channel, with as many slots as it has earned. A stripe is what
 *         one sender has for one lane, in the order in which it came. A channel's turns go by two circles, in
 *         alternation: over its lanes, and in each over the stripes; and over its senders, and each one's stripes. So
 *         neither a sender with mail for a hundred thousand hops nor a hop with mail of a hundred thousand senders is
 *         ahead of one who has a single message.
 *         A lane whose connections failed several times in a row is dead: it has one slot, for a probe, and not before
 *         a time. What lines up in it meanwhile is draining: somebody has to take it out again.
 * Units   seconds since 1970. About 30 bytes a stripe, 50 a lane, 24 a sender, each only while it has something; and
 *         dead lanes, up to a number.
 * Cost    O(1) a step.
 * Errors  -1 or 0 with ENOMEM: nothing has changed. */
#ifndef QUEUE_LANES_H
#define QUEUE_LANES_H

#include "queue/index.h"
#include "queue/loop.h"
#include "queue/ring.h"

enum { LANES_CHANNELS = 3 };

/* What a lane may have, by channel. */
struct lanes_limits {
	uint32_t slots[LANES_CHANNELS];      /* of all lanes together */
	uint32_t lane_start[LANES_CHANNELS]; /* of a lane that nothing is known of */
	uint32_t lane_most[LANES_CHANNELS];  /* of the best one */
	uint32_t dead_after;                 /* failures in a row */
	uint32_t probe_s, probe_most_s;      /* after the first probe's failure the double, and so on */
	uint32_t remembered;                 /* dead lanes without anything in them */
};

struct lane {
	uint32_t hop;
	uint32_t chain;
	struct loop_links links; /* in the circle that at says */
	uint32_t stripes;        /* circle */
	uint32_t running;
	uint32_t window; /* slots it has earned */
	uint32_t probe;  /* recipient, or 0 */
	uint32_t probe_at;
	uint16_t failures;
	uint16_t alarm; /* the last one that was obeyed */
	uint8_t channel;
	uint8_t at;
};

struct lanes {
	struct ring *ring;
	struct pool lanes, stripes, senders;
	struct index lane_index, stripe_index, sender_index;
	struct lanes_limits limits;
	uint32_t open[LANES_CHANNELS];    /* circle of lanes that something can be taken from */
	uint32_t waiting[LANES_CHANNELS]; /* circle of senders */
	uint32_t running[LANES_CHANNELS];
	bool by_sender[LANES_CHANNELS]; /* the next turn */
	uint32_t draining;              /* circle of dead lanes with something in them */
	uint32_t idle, idle_count;      /* circle of those without, the oldest first */
	uint16_t alarm;
	uint32_t now; /* set by the caller before each call */
};

void lanes_init(struct lanes *l, struct ring *r);
void lanes_free(struct lanes *l);

uint32_t lanes_find(const struct lanes *l, int channel, uint32_t hop); /* 0: nothing is known of it */
struct lane *lanes_at(const struct lanes *l, uint32_t lane);
bool lanes_is_dead(const struct lanes *l, const struct lane *lane); /* and it is too early for a probe */
void lanes_probe(struct lanes *l, uint32_t lane);                   /* it may have one now */
void lanes_alarm(struct lanes *l);                                  /* each may, once */

/* The recipient lines up. */
int lanes_push(struct lanes *l, int channel, uint32_t hop, uint32_t sender, uint32_t row)
	__attribute__((warn_unused_result));
/* The one whose turn it is leaves its line; 0: nobody can start. Then lanes_start or lanes_skip. */
uint32_t lanes_pick(struct lanes *l, int channel, uint32_t *lane);
void lanes_start(struct lanes *l, uint32_t lane, uint32_t recipient);
void lanes_skip(struct lanes *l, uint32_t lane); /* it will not run, or not now */
/* Somebody who waits in a dead lane leaves its line, then lanes_skip. 0: nobody this time, but as long as draining is not
 * 0 there may be. */
uint32_t lanes_drain(struct lanes *l, uint32_t *lane);
/* A recipient left its line otherwise. */
void lanes_leave(struct lanes *l, uint32_t row);

enum lanes_end {
	LANES_UNTRIED, /* it was not asked after all */
	LANES_NOTHING, /* nothing was learnt of the hop */
	LANES_REACHED, /* it answered */
	LANES_DELIVERED,
	LANES_UNREACHED /* it did not */
};
void lanes_finish(struct lanes *l, uint32_t lane, uint32_t recipient, enum lanes_end end);

#endif
