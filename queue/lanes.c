#include "queue/lanes.h"

#include <stddef.h>

/* Of a sender's turn: so many senders are asked for a stripe whose lane is open. */
enum { SENDERS_ASKED = 8 };

/* Which circle a lane is in. */
enum { NOWHERE, OPEN, DRAINING, IDLE };

struct stripe {
	uint32_t head; /* of the list of its recipients */
	uint32_t lane, sender;
	uint32_t chain;
	struct loop_links in_lane, in_sender;
};

struct sender {
	uint32_t hash;
	uint32_t channel;
	uint32_t chain;
	uint32_t stripes;
	struct loop_links links;
};

/* ---- rows and how they are found ----------------------------------------------------------------------- */

static uint32_t two_hash(uint32_t a, uint32_t b)
{
	return index_mix((uint64_t)a << 32 | b);
}

static uint32_t lane_hash(const void *row)
{
	const struct lane *lane = row;

	return two_hash(lane->hop, lane->channel);
}

static uint32_t stripe_hash(const void *row)
{
	const struct stripe *stripe = row;

	return two_hash(stripe->lane, stripe->sender);
}

static uint32_t sender_hash(const void *row)
{
	const struct sender *sender = row;

	return two_hash(sender->hash, sender->channel);
}

struct lane *lanes_at(const struct lanes *l, uint32_t lane)
{
	return pool_at(&l->lanes, lane);
}

static struct stripe *stripe_at(const struct lanes *l, uint32_t stripe)
{
	return pool_at(&l->stripes, stripe);
}

static struct sender *sender_at(const struct lanes *l, uint32_t sender)
{
	return pool_at(&l->senders, sender);
}

static struct loop lane_loop(const struct lanes *l)
{
	return (struct loop){ &l->lanes, offsetof(struct lane, links) };
}

static struct loop sender_loop(const struct lanes *l)
{
	return (struct loop){ &l->senders, offsetof(struct sender, links) };
}

static struct loop loop_in_lane(const struct lanes *l)
{
	return (struct loop){ &l->stripes, offsetof(struct stripe, in_lane) };
}

static struct loop loop_in_sender(const struct lanes *l)
{
	return (struct loop){ &l->stripes, offsetof(struct stripe, in_sender) };
}

void lanes_init(struct lanes *l, struct ring *r)
{
	*l = (struct lanes){ .ring = r };
	pool_init(&l->lanes, sizeof(struct lane));
	pool_init(&l->stripes, sizeof(struct stripe));
	pool_init(&l->senders, sizeof(struct sender));
	index_init(&l->lane_index, &l->lanes, offsetof(struct lane, chain), lane_hash);
	index_init(&l->stripe_index, &l->stripes, offsetof(struct stripe, chain), stripe_hash);
	index_init(&l->sender_index, &l->senders, offsetof(struct sender, chain), sender_hash);
}

void lanes_free(struct lanes *l)
{
	index_free(&l->lane_index);
	index_free(&l->stripe_index);
	index_free(&l->sender_index);
	pool_free(&l->lanes);
	pool_free(&l->stripes);
	pool_free(&l->senders);
}

uint32_t lanes_find(const struct lanes *l, int channel, uint32_t hop)
{
	uint32_t row = index_first(&l->lane_index, two_hash(hop, (uint32_t)channel));

	for (; row != 0; row = index_next(&l->lane_index, row))
		if (lanes_at(l, row)->hop == hop && lanes_at(l, row)->channel == channel)
			break;
	return row;
}

static uint32_t find_sender(const struct lanes *l, uint32_t channel, uint32_t hash)
{
	uint32_t row = index_first(&l->sender_index, two_hash(hash, channel));

	for (; row != 0; row = index_next(&l->sender_index, row))
		if (sender_at(l, row)->hash == hash && sender_at(l, row)->channel == channel)
			break;
	return row;
}

static uint32_t find_stripe(const struct lanes *l, uint32_t lane, uint32_t sender)
{
	uint32_t row = index_first(&l->stripe_index, two_hash(lane, sender));

	for (; row != 0; row = index_next(&l->stripe_index, row))
		if (stripe_at(l, row)->lane == lane && stripe_at(l, row)->sender == sender)
			break;
	return row;
}

/* ---- in which circle a lane is ------------------------------------------------------------------------- */

static bool is_failing(const struct lanes *l, const struct lane *lane)
{
	return lane->failures >= l->limits.dead_after;
}

static bool too_early(const struct lanes *l, const struct lane *lane)
{
	return lane->alarm == l->alarm && l->now < lane->probe_at;
}

bool lanes_is_dead(const struct lanes *l, const struct lane *lane)
{
	return is_failing(l, lane) && lane->probe == 0 && too_early(l, lane);
}

static bool has_slot(const struct lanes *l, const struct lane *lane)
{
	uint32_t most = l->limits.lane_most[lane->channel];

	if (is_failing(l, lane))
		return lane->probe == 0;
	return lane->running < (lane->window < most ? lane->window : most);
}

static uint8_t place_of(const struct lanes *l, const struct lane *lane)
{
	if (lane->stripes == 0)
		return lane->running == 0 ? IDLE : NOWHERE;
	if (lanes_is_dead(l, lane))
		return DRAINING;
	return has_slot(l, lane) ? OPEN : NOWHERE;
}

static uint32_t *circle_of(struct lanes *l, const struct lane *lane)
{
	switch (lane->at) {
	case OPEN:
		return &l->open[lane->channel];
	case DRAINING:
		return &l->draining;
	default:
		return &l->idle;
	}
}

static void set_place(struct lanes *l, uint32_t row, uint8_t at)
{
	struct lane *lane = lanes_at(l, row);
	const struct loop loop = lane_loop(l);

	if (lane->at == at)
		return;
	if (lane->at != NOWHERE)
		loop_remove(&loop, circle_of(l, lane), row);
	l->idle_count -= lane->at == IDLE;
	lane->at = at;
	if (at != NOWHERE)
		loop_append(&loop, circle_of(l, lane), row);
	l->idle_count += at == IDLE;
}

static void forget(struct lanes *l, uint32_t row)
{
	set_place(l, row, NOWHERE);
	index_drop(&l->lane_index, row);
	pool_give(&l->lanes, row);
}

/* After each change. What is left without anything is remembered only for its failures. */
static void place(struct lanes *l, uint32_t row)
{
	const struct lane *lane = lanes_at(l, row);
	uint8_t at = place_of(l, lane);

	if (at == IDLE && lane->failures == 0) {
		forget(l, row);
		return;
	}
	set_place(l, row, at);
	if (l->idle_count > l->limits.remembered)
		forget(l, l->idle);
}

void lanes_probe(struct lanes *l, uint32_t lane)
{
	lanes_at(l, lane)->probe_at = l->now;
	place(l, lane);
}

void lanes_alarm(struct lanes *l)
{
	l->alarm++;
}

/* ---- lining up ----------------------------------------------------------------------------------------- */

static uint32_t open_lane(struct lanes *l, int channel, uint32_t hop)
{
	uint32_t row = pool_take(&l->lanes);

	if (row == 0)
		return 0;
	*lanes_at(l, row) = (struct lane){ .hop = hop,
		.channel = (uint8_t)channel,
		.window = l->limits.lane_start[channel],
		.alarm = l->alarm };
	if (index_put(&l->lane_index, row) == -1) {
		pool_give(&l->lanes, row);
		return 0;
	}
	return row;
}

static uint32_t open_sender(struct lanes *l, int channel, uint32_t hash)
{
	uint32_t row = pool_take(&l->senders);
	const struct loop loop = sender_loop(l);

	if (row == 0)
		return 0;
	*sender_at(l, row) = (struct sender){ .hash = hash, .channel = (uint32_t)channel };
	if (index_put(&l->sender_index, row) == -1) {
		pool_give(&l->senders, row);
		return 0;
	}
	loop_append(&loop, &l->waiting[channel], row);
	return row;
}

static void close_sender(struct lanes *l, uint32_t row)
{
	const struct loop loop = sender_loop(l);

	loop_remove(&loop, &l->waiting[sender_at(l, row)->channel], row);
	index_drop(&l->sender_index, row);
	pool_give(&l->senders, row);
}

static uint32_t open_stripe(struct lanes *l, uint32_t lane, uint32_t sender)
{
	const struct loop in_lane = loop_in_lane(l), in_sender = loop_in_sender(l);
	uint32_t row = pool_take(&l->stripes);
	uint32_t head;

	if (row == 0)
		return 0;
	head = ring_open(l->ring, row);
	*stripe_at(l, row) = (struct stripe){ .head = head, .lane = lane, .sender = sender };
	if (head == 0 || index_put(&l->stripe_index, row) == -1) {
		if (head != 0)
			ring_close(l->ring, head);
		pool_give(&l->stripes, row);
		return 0;
	}
	loop_append(&in_lane, &lanes_at(l, lane)->stripes, row);
	loop_append(&in_sender, &sender_at(l, sender)->stripes, row);
	return row;
}

static void close_stripe(struct lanes *l, uint32_t row)
{
	const struct loop in_lane = loop_in_lane(l), in_sender = loop_in_sender(l);
	uint32_t lane = stripe_at(l, row)->lane, sender = stripe_at(l, row)->sender;

	loop_remove(&in_lane, &lanes_at(l, lane)->stripes, row);
	loop_remove(&in_sender, &sender_at(l, sender)->stripes, row);
	index_drop(&l->stripe_index, row);
	ring_close(l->ring, stripe_at(l, row)->head);
	pool_give(&l->stripes, row);
	if (sender_at(l, sender)->stripes == 0)
		close_sender(l, sender);
}

int lanes_push(struct lanes *l, int channel, uint32_t hop, uint32_t hash, uint32_t row)
{
	uint32_t lane = lanes_find(l, channel, hop), sender = find_sender(l, (uint32_t)channel, hash);
	uint32_t stripe = 0;

	if (lane == 0 && (lane = open_lane(l, channel, hop)) == 0)
		return -1;
	if (sender == 0)
		sender = open_sender(l, channel, hash);
	if (sender != 0 && (stripe = find_stripe(l, lane, sender)) == 0 &&
		(stripe = open_stripe(l, lane, sender)) == 0 && sender_at(l, sender)->stripes == 0)
		close_sender(l, sender);
	if (stripe != 0)
		ring_append(l->ring, stripe_at(l, stripe)->head, row);
	place(l, lane);
	return stripe != 0 ? 0 : -1;
}

/* ---- whose turn it is ---------------------------------------------------------------------------------- */

static uint32_t turn_of_lanes(struct lanes *l, int channel)
{
	const struct loop lanes = lane_loop(l), stripes = loop_in_lane(l);
	uint32_t lane = loop_turn(&lanes, &l->open[channel]);

	return loop_turn(&stripes, &lanes_at(l, lane)->stripes);
}

/* 0: none of those that were asked has anything for a lane that is open. */
static uint32_t turn_of_senders(struct lanes *l, int channel)
{
	const struct loop senders = sender_loop(l), stripes = loop_in_sender(l);

	for (int i = 0; i < SENDERS_ASKED; i++) {
		uint32_t sender = loop_turn(&senders, &l->waiting[channel]);
		uint32_t stripe = loop_turn(&stripes, &sender_at(l, sender)->stripes);

		if (lanes_at(l, stripe_at(l, stripe)->lane)->at == OPEN)
			return stripe;
	}
	return 0;
}

uint32_t lanes_pick(struct lanes *l, int channel, uint32_t *lane)
{
	uint32_t stripe = 0, row;

	if (l->open[channel] == 0 || l->running[channel] >= l->limits.slots[channel])
		return 0;
	l->by_sender[channel] = !l->by_sender[channel];
	if (l->by_sender[channel])
		stripe = turn_of_senders(l, channel);
	if (stripe == 0)
		stripe = turn_of_lanes(l, channel);
	*lane = stripe_at(l, stripe)->lane;
	row = ring_first(l->ring, stripe_at(l, stripe)->head);
	if (ring_remove(l->ring, row) != 0)
		close_stripe(l, stripe);
	return row;
}

void lanes_start(struct lanes *l, uint32_t lane, uint32_t recipient)
{
	struct lane *p = lanes_at(l, lane);

	p->running++;
	l->running[p->channel]++;
	if (is_failing(l, p)) {
		p->probe = recipient;
		p->alarm = l->alarm;
	}
	place(l, lane);
}

void lanes_skip(struct lanes *l, uint32_t lane)
{
	place(l, lane);
}

void lanes_leave(struct lanes *l, uint32_t row)
{
	uint32_t head = ring_remove(l->ring, row);
	uint32_t stripe, lane;

	if (head == 0)
		return;
	stripe = ring_owner(l->ring, head);
	lane = stripe_at(l, stripe)->lane;
	close_stripe(l, stripe);
	place(l, lane);
}

uint32_t lanes_drain(struct lanes *l, uint32_t *lane)
{
	uint32_t stripe, row;

	*lane = l->draining;
	if (*lane == 0)
		return 0;
	place(l, *lane); /* its time may have come meanwhile */
	if (lanes_at(l, *lane)->at != DRAINING)
		return 0;
	stripe = lanes_at(l, *lane)->stripes;
	row = ring_first(l->ring, stripe_at(l, stripe)->head);
	if (ring_remove(l->ring, row) != 0)
		close_stripe(l, stripe);
	return row;
}

/* ---- what is learnt ------------------------------------------------------------------------------------ */

static uint32_t pause_s(const struct lanes *l, const struct lane *lane)
{
	unsigned doubled = lane->failures - l->limits.dead_after;

	if (doubled > 16 || l->limits.probe_s > l->limits.probe_most_s >> doubled)
		return l->limits.probe_most_s;
	return l->limits.probe_s << doubled;
}

/* Of those that started before it was known to be dead, none counts. */
static void unreached(struct lanes *l, struct lane *lane, bool was_probe)
{
	if (is_failing(l, lane) && !was_probe)
		return;
	if (lane->failures < UINT16_MAX)
		lane->failures++;
	if (lane->window > 1)
		lane->window--;
	if (is_failing(l, lane))
		lane->probe_at = l->now + pause_s(l, lane);
}

static void reached(struct lanes *l, struct lane *lane, bool delivered)
{
	if (is_failing(l, lane))
		lane->window = l->limits.lane_start[lane->channel];
	lane->failures = 0;
	lane->probe = 0;
	if (delivered && lane->window < l->limits.lane_most[lane->channel])
		lane->window++;
}

void lanes_finish(struct lanes *l, uint32_t lane, uint32_t recipient, enum lanes_end end)
{
	struct lane *p = lanes_at(l, lane);
	bool was_probe = p->probe == recipient;

	p->running--;
	l->running[p->channel]--;
	if (was_probe)
		p->probe = 0;
	if (end == LANES_UNREACHED)
		unreached(l, p, was_probe);
	else if (end == LANES_REACHED || end == LANES_DELIVERED)
		reached(l, p, end == LANES_DELIVERED);
	else if (end == LANES_NOTHING && was_probe)
		p->probe_at = l->now + l->limits.probe_s;
	place(l, lane);
}
