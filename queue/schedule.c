#include "queue/schedule.h"

#include <errno.h>
#include <stdlib.h>

#include "queue/lanes.h"
#include "queue/wheel.h"

enum {
	STEPS = 48,           /* of each kind of work, a call */
	SWEPT_A_STEP = 16,    /* rows */
	SWEEPS = 16,          /* hops that are asked for at the same time */
	NO_MEMORY_S = 10,     /* until it is tried again */
	CLOCK_SET_BACK = 3600 /* by so much: what was planned is worth nothing */
};

/* The field mark of a recipient: a state, its channel, a flag. */
enum {
	UNKNOWN = 0,
	WAITING = 1,  /* in a list: of the wheel, or of those that are due */
	LINED_UP = 2, /* in a lane */
	RUNNING = 3,  /* link is its lane */
	AT_REST = 4,
	HOPELESS = 5, /* in the list of those */
	STATE = 7,
	CHANNEL_SHIFT = 3,
	CHANNEL = 3 << CHANNEL_SHIFT,
	LAST = 32
};

const struct schedule_options schedule_defaults = {
	.concurrency_local = 10,
	.concurrency_remote = 20,
	.per_user = 2,
	.per_hop_start = 5,
	.per_hop_most = 20,
	.questions = 32,
	.lifetime_s = 604800,
	.dead_after = 3,
	.probe_s = 300,
	.probe_most_s = 3600,
};

struct sweep {
	uint32_t hop;
	uint32_t at; /* recipient */
};

struct schedule {
	struct table *table;
	struct ring ring;
	struct wheel wheel;
	struct lanes lanes;
	uint32_t fresh;    /* list: due, and never tried */
	uint32_t hopeless; /* list */
	uint32_t lifetime_s;
	uint32_t now;
	unsigned turn; /* of the channels */
	struct sweep sweeps[SWEEPS];
	unsigned sweep_count;
};

/* ---- a recipient --------------------------------------------------------------------------------------- */

static struct recipient *recipient(const struct schedule *s, uint32_t row)
{
	return table_recipient(s->table, row);
}

static const struct message *message_of(const struct schedule *s, const struct recipient *r)
{
	return table_message(s->table, r->message);
}

static unsigned state_of(const struct recipient *r)
{
	return r->mark & STATE;
}

static enum schedule_channel channel_of(const struct recipient *r)
{
	return (enum schedule_channel)((r->mark & CHANNEL) >> CHANNEL_SHIFT);
}

static void set_state(struct recipient *r, unsigned state)
{
	r->mark = (uint8_t)((r->mark & ~(unsigned)STATE) | state);
}

static void set_channel(struct recipient *r, enum schedule_channel c)
{
	r->mark = (uint8_t)((r->mark & ~(unsigned)CHANNEL) | (unsigned)c << CHANNEL_SHIFT);
}

static bool is_held(const struct schedule *s, const struct recipient *r)
{
	return (message_of(s, r)->flags & TABLE_HELD) != 0;
}

static uint32_t root(uint32_t n)
{
	uint32_t r = 0;

	for (uint32_t bit = 1 << 15; bit != 0; bit >>= 1)
		if ((r | bit) <= n / (r | bit))
			r |= bit;
	return r;
}

/* A birth that is still to come is the work of a clock that was wrong: nobody waits for it. */
uint32_t schedule_again(uint32_t born, uint32_t now, enum schedule_channel c)
{
	uint32_t age = born < now ? now - born : 0;
	uint64_t n = root(age) + (c == SCHEDULE_LOCAL ? 10 : 20);
	uint64_t at = now - age + n * n;

	return at < UINT32_MAX ? (uint32_t)at : UINT32_MAX;
}

static bool is_old(const struct schedule *s, const struct recipient *r)
{
	uint32_t born = message_of(s, r)->born;

	return born < s->now && s->now - born > s->lifetime_s;
}

/* ---- open and close ------------------------------------------------------------------------------------ */

static uint32_t at_least_one(uint32_t n)
{
	return n > 0 ? n : 1;
}

void schedule_configure(struct schedule *s, const struct schedule_options *o)
{
	s->lifetime_s = o->lifetime_s;
	s->lanes.limits = (struct lanes_limits){
		.slots = { o->concurrency_local, o->concurrency_remote, o->questions },
		.lane_start = { at_least_one(o->per_user), at_least_one(o->per_hop_start),
			at_least_one(o->questions) },
		.lane_most = { at_least_one(o->per_user), at_least_one(o->per_hop_most),
			at_least_one(o->questions) },
		.dead_after = at_least_one(o->dead_after),
		.probe_s = o->probe_s,
		.probe_most_s = o->probe_most_s,
		.remembered = 10000,
	};
}

struct schedule *schedule_open(struct table *t, const struct schedule_options *o, uint32_t now)
{
	struct schedule *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->table = t;
	s->now = now;
	ring_init(&s->ring, t);
	lanes_init(&s->lanes, &s->ring);
	s->lanes.now = now;
	schedule_configure(s, o);
	s->fresh = ring_open(&s->ring, 0);
	s->hopeless = ring_open(&s->ring, 0);
	if (s->fresh != 0 && s->hopeless != 0 && wheel_init(&s->wheel, &s->ring, now) == 0)
		return s;
	schedule_close(s);
	errno = ENOMEM;
	return NULL;
}

void schedule_close(struct schedule *s)
{
	if (s == NULL)
		return;
	lanes_free(&s->lanes);
	ring_free(&s->ring);
	free(s);
}

/* ---- where it waits ------------------------------------------------------------------------------------ */

/* All time is told here. */
static void tell(struct schedule *s, uint32_t now)
{
	if (now < s->now && s->now - now > CLOCK_SET_BACK) {
		wheel_all(&s->wheel, now);
		lanes_alarm(&s->lanes);
	} else if (now < s->now) {
		return;
	}
	s->now = now;
	s->lanes.now = now;
}

static void wait_until(struct schedule *s, uint32_t row, uint32_t due)
{
	struct recipient *r = recipient(s, row);

	r->due = due;
	set_state(r, WAITING);
	wheel_put(&s->wheel, row);
}

static void wait_now(struct schedule *s, uint32_t row)
{
	struct recipient *r = recipient(s, row);

	set_state(r, WAITING);
	ring_append(&s->ring, r->tries == 0 ? s->fresh : s->wheel.due, row);
}

static void wait_as_due(struct schedule *s, uint32_t row)
{
	struct recipient *r = recipient(s, row);

	if (r->due <= s->now)
		wait_now(s, row);
	else
		wait_until(s, row, r->due);
}

/* Its hop is dead: it waits for the next probe, or there is no hope for it. */
static void wait_for_probe(struct schedule *s, uint32_t row, const struct lane *lane)
{
	struct recipient *r = recipient(s, row);

	if (!is_old(s, r)) {
		wait_until(s, row, lane->probe_at);
		return;
	}
	set_state(r, HOPELESS);
	ring_append(&s->ring, s->hopeless, row);
}

static void line_up(struct schedule *s, uint32_t row)
{
	struct recipient *r = recipient(s, row);
	int channel = (int)channel_of(r);
	uint32_t lane = lanes_find(&s->lanes, channel, r->hop);

	if (is_held(s, r)) {
		set_state(r, AT_REST);
	} else if (lane != 0 && lanes_is_dead(&s->lanes, lanes_at(&s->lanes, lane))) {
		wait_for_probe(s, row, lanes_at(&s->lanes, lane));
	} else if (lanes_push(&s->lanes, channel, r->hop, message_of(s, r)->sender, row) == -1) {
		wait_until(s, row, s->now + NO_MEMORY_S);
	} else {
		set_state(r, LINED_UP);
	}
}

/* From wherever it is. */
static void leave(struct schedule *s, uint32_t row)
{
	struct recipient *r = recipient(s, row);

	switch (state_of(r)) {
	case WAITING:
	case HOPELESS:
		ring_remove(&s->ring, row);
		break;
	case LINED_UP:
		lanes_leave(&s->lanes, row);
		break;
	case RUNNING:
		lanes_finish(&s->lanes, r->link, row, LANES_UNTRIED);
		break;
	default:
		break;
	}
	r->mark = UNKNOWN;
}

void schedule_add(struct schedule *s, uint32_t row, enum schedule_channel c)
{
	struct recipient *r = recipient(s, row);

	r->mark = UNKNOWN;
	set_channel(r, c);
	if (is_held(s, r))
		set_state(r, AT_REST);
	else
		wait_as_due(s, row);
}

void schedule_remove(struct schedule *s, uint32_t message)
{
	uint32_t row = table_message(s->table, message)->recipients;

	for (; row != 0; row = recipient(s, row)->next)
		leave(s, row);
}

/* ---- a little work a call ------------------------------------------------------------------------------ */

static bool is_empty(const struct schedule *s, uint32_t head)
{
	return ring_first(&s->ring, head) == 0;
}

static void line_up_first(struct schedule *s, uint32_t head)
{
	uint32_t row = ring_first(&s->ring, head);

	if (row == 0)
		return;
	ring_remove(&s->ring, row);
	line_up(s, row);
}

static void drain(struct schedule *s)
{
	uint32_t lane, row = lanes_drain(&s->lanes, &lane);

	if (row == 0)
		return;
	wait_for_probe(s, row, lanes_at(&s->lanes, lane));
	lanes_skip(&s->lanes, lane);
}

static void due_now(struct schedule *s, uint32_t row)
{
	ring_remove(&s->ring, row);
	wait_now(s, row);
}

static void sweep(struct schedule *s)
{
	struct sweep *w = &s->sweeps[0];

	for (int i = 0; i < SWEPT_A_STEP && s->sweep_count > 0; i++) {
		const struct recipient *r;

		w->at = table_each_recipient(s->table, w->at);
		if (w->at == 0) {
			for (unsigned n = 1; n < s->sweep_count; n++)
				s->sweeps[n - 1] = s->sweeps[n];
			s->sweep_count--;
			continue;
		}
		r = recipient(s, w->at);
		if (state_of(r) == WAITING && r->hop == w->hop && r->due > s->now)
			due_now(s, w->at);
	}
}

static bool is_left(const struct schedule *s)
{
	return s->sweep_count > 0 || s->lanes.draining != 0 || !is_empty(s, s->fresh) ||
	       !is_empty(s, s->wheel.due);
}

/* True: something is left. */
static bool work(struct schedule *s)
{
	bool late = wheel_turn(&s->wheel, s->now, STEPS);

	for (int i = 0; i < STEPS && is_left(s); i++) {
		line_up_first(s, s->fresh);
		line_up_first(s, s->wheel.due);
		drain(s);
		sweep(s);
	}
	return late || is_left(s);
}

/* ---- what happens -------------------------------------------------------------------------------------- */

static void start(struct schedule *s, uint32_t row, uint32_t lane, struct schedule_event *e)
{
	struct recipient *r = recipient(s, row);

	lanes_start(&s->lanes, lane, row);
	set_state(r, RUNNING);
	r->link = lane;
	r->mark &= (uint8_t)~LAST;
	e->what = SCHEDULE_START;
	e->recipient = row;
	e->channel = channel_of(r);
	e->last = is_old(s, r);
	if (e->last)
		r->mark |= LAST;
	r->due = schedule_again(message_of(s, r)->born, s->now, e->channel);
	if (r->tries < UINT16_MAX)
		r->tries++;
}

enum found { NOBODY, SOMEBODY, MORE };

/* The next one of a channel. Those who are held are only found here. */
static enum found start_one(struct schedule *s, enum schedule_channel c, struct schedule_event *e)
{
	for (int i = 0; i < STEPS; i++) {
		uint32_t lane, row = lanes_pick(&s->lanes, (int)c, &lane);

		if (row == 0)
			return NOBODY;
		if (!is_held(s, recipient(s, row))) {
			start(s, row, lane, e);
			return SOMEBODY;
		}
		set_state(recipient(s, row), AT_REST);
		lanes_skip(&s->lanes, lane);
	}
	return MORE;
}

static enum found start_any(struct schedule *s, struct schedule_event *e)
{
	enum found all = NOBODY;

	for (int i = 0; i < LANES_CHANNELS; i++) {
		enum found one = start_one(s, (enum schedule_channel)(s->turn++ % LANES_CHANNELS), e);

		if (one == SOMEBODY)
			return SOMEBODY;
		if (one == MORE)
			all = MORE;
	}
	return all;
}

static bool give_up_one(struct schedule *s, struct schedule_event *e)
{
	uint32_t row = ring_first(&s->ring, s->hopeless);

	if (row == 0)
		return false;
	ring_remove(&s->ring, row);
	e->what = SCHEDULE_HOPELESS;
	e->recipient = row;
	e->channel = channel_of(recipient(s, row));
	e->last = true;
	recipient(s, row)->mark = UNKNOWN;
	return true;
}

void schedule_next(struct schedule *s, uint32_t now, struct schedule_event *e)
{
	bool more;

	tell(s, now);
	*e = (struct schedule_event){ .what = SCHEDULE_NOTHING };
	more = work(s);
	if (give_up_one(s, e) || start_any(s, e) != NOBODY || more)
		return;
	e->wake = wheel_next(&s->wheel);
}

bool schedule_route(struct schedule *s, uint32_t row, enum schedule_channel c, uint32_t hop, uint32_t now)
{
	struct recipient *r = recipient(s, row);
	const struct lane *lane = lanes_at(&s->lanes, r->link);

	tell(s, now);
	if (lane->channel == c && lane->hop == hop)
		return true;
	lanes_finish(&s->lanes, r->link, row, LANES_UNTRIED);
	r->tries--; /* that was none */
	set_channel(r, c);
	r->hop = hop;
	r->due = s->now;
	line_up(s, row);
	return false;
}

bool schedule_outcome(struct schedule *s, uint32_t row, enum schedule_outcome o, uint32_t now)
{
	static const enum lanes_end ends[] = { LANES_DELIVERED, LANES_REACHED, LANES_REACHED,
		LANES_UNREACHED, LANES_NOTHING };
	struct recipient *r = recipient(s, row);

	tell(s, now);
	lanes_finish(&s->lanes, r->link, row, ends[o]);
	if (o == SCHEDULE_DELIVERED || o == SCHEDULE_FAILED || (r->mark & LAST) != 0) {
		r->mark = UNKNOWN;
		return false;
	}
	wait_until(s, row, r->due);
	return true;
}

/* ---- what people ask for ------------------------------------------------------------------------------- */

static void retry(struct schedule *s, uint32_t row)
{
	const struct recipient *r = recipient(s, row);
	uint32_t lane;

	if (state_of(r) != WAITING && state_of(r) != LINED_UP)
		return;
	lane = lanes_find(&s->lanes, (int)channel_of(r), r->hop);
	if (lane != 0)
		lanes_probe(&s->lanes, lane);
	if (state_of(r) == WAITING)
		due_now(s, row);
}

void schedule_retry(struct schedule *s, uint32_t message, uint32_t now)
{
	uint32_t row = table_message(s->table, message)->recipients;

	tell(s, now);
	for (; row != 0; row = recipient(s, row)->next)
		retry(s, row);
}

int schedule_retry_hop(struct schedule *s, uint32_t hop, uint32_t now)
{
	tell(s, now);
	if (s->sweep_count == SWEEPS) {
		errno = EAGAIN;
		return -1;
	}
	for (int c = 0; c < LANES_CHANNELS; c++) {
		uint32_t lane = lanes_find(&s->lanes, c, hop);

		if (lane != 0)
			lanes_probe(&s->lanes, lane);
	}
	s->sweeps[s->sweep_count++] = (struct sweep){ .hop = hop };
	return 0;
}

void schedule_retry_all(struct schedule *s, uint32_t now)
{
	tell(s, now);
	wheel_all(&s->wheel, s->wheel.now);
	lanes_alarm(&s->lanes);
}

void schedule_hold(struct schedule *s, uint32_t message)
{
	table_message(s->table, message)->flags |= TABLE_HELD;
}

void schedule_release(struct schedule *s, uint32_t message)
{
	uint32_t row = table_message(s->table, message)->recipients;

	table_message(s->table, message)->flags &= (uint16_t)~TABLE_HELD;
	for (; row != 0; row = recipient(s, row)->next)
		if (state_of(recipient(s, row)) == AT_REST)
			wait_as_due(s, row);
}

uint32_t schedule_running(const struct schedule *s, enum schedule_channel c)
{
	return s->lanes.running[c];
}

size_t schedule_bytes(const struct schedule *s)
{
	const struct lanes *l = &s->lanes;

	return sizeof *s + s->ring.heads.bytes + l->lanes.bytes + l->stripes.bytes + l->senders.bytes +
	       l->lane_index.bytes + l->stripe_index.bytes + l->sender_index.bytes;
}
