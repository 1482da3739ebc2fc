/* schedule_world.h - a table, a schedule and a time that goes on when a test says so: of the tests of the schedule. */
#ifndef SCHEDULE_WORLD_H
#define SCHEDULE_WORLD_H

#include "queue/schedule.h"
#include "tap.h"

enum { START = 1800000000 };

static const uint8_t key[TABLE_KEY] = { 1 };

struct world {
	struct table *t;
	struct schedule *s;
	struct schedule_options o;
	uint32_t now;
	uint64_t id;
	struct schedule_event e;
};

static inline struct world world(void)
{
	struct world w = { .t = table_open(key), .o = schedule_defaults, .now = START };

	w.s = schedule_open(w.t, &w.o, w.now);
	return w;
}

static inline void configure(struct world *w)
{
	schedule_configure(w->s, &w->o);
}

static inline void end(struct world *w)
{
	schedule_close(w->s);
	table_close(w->t);
}

/* A message with one recipient. Its number. */
static inline uint32_t mail(struct world *w, enum schedule_channel c, uint32_t hop, uint32_t sender)
{
	uint32_t m = table_add(w->t, ++w->id, 1), r = table_message(w->t, m)->recipients;

	table_message(w->t, m)->born = w->now;
	table_message(w->t, m)->sender = sender;
	table_recipient(w->t, r)->hop = hop;
	table_recipient(w->t, r)->due = w->now;
	schedule_add(w->s, r, c);
	return r;
}

static inline uint32_t message_of(const struct world *w, uint32_t recipient)
{
	return table_recipient(w->t, recipient)->message;
}

static inline void gone(struct world *w, uint32_t recipient)
{
	uint32_t m = message_of(w, recipient);

	schedule_remove(w->s, m);
	table_remove(w->t, m);
}

/* What happens at this time; SCHEDULE_NOTHING only when there is really nothing. */
static inline enum schedule_what next(struct world *w)
{
	do
		schedule_next(w->s, w->now, &w->e);
	while (w->e.what == SCHEDULE_NOTHING && w->e.wake <= w->now);
	return w->e.what;
}

/* The recipient that starts now, 0: nobody. */
static inline uint32_t starts(struct world *w)
{
	return next(w) == SCHEDULE_START ? w->e.recipient : 0;
}

/* Time goes on until somebody starts, or until then. */
static inline uint32_t starts_before(struct world *w, uint32_t then)
{
	uint32_t r;

	while ((r = starts(w)) == 0 && w->e.what == SCHEDULE_NOTHING && w->e.wake < then)
		w->now = w->e.wake;
	return r;
}

/* Nobody starts before that time; somebody does then. */
static inline bool sleeps_until(struct world *w, uint32_t then)
{
	while (starts(w) == 0 && w->e.what == SCHEDULE_NOTHING && w->e.wake < then)
		w->now = w->e.wake;
	return w->e.what == SCHEDULE_NOTHING && w->e.wake == then;
}

static inline bool deliver(struct world *w, uint32_t r)
{
	bool good = !schedule_outcome(w->s, r, SCHEDULE_DELIVERED, w->now);

	gone(w, r);
	return good;
}

#endif
