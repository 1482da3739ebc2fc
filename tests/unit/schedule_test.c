/* Who is tried when: weeks of it, without waiting. */
#include <stdlib.h>
#include <time.h>

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

static struct world world(void)
{
	struct world w = { .t = table_open(key), .o = schedule_defaults, .now = START };

	w.s = schedule_open(w.t, &w.o, w.now);
	return w;
}

static void configure(struct world *w)
{
	schedule_configure(w->s, &w->o);
}

static void end(struct world *w)
{
	schedule_close(w->s);
	table_close(w->t);
}

/* A message with one recipient. Its number. */
static uint32_t mail(struct world *w, enum schedule_channel c, uint32_t hop, uint32_t sender)
{
	uint32_t m = table_add(w->t, ++w->id, 1), r = table_message(w->t, m)->recipients;

	table_message(w->t, m)->born = w->now;
	table_message(w->t, m)->sender = sender;
	table_recipient(w->t, r)->hop = hop;
	table_recipient(w->t, r)->due = w->now;
	schedule_add(w->s, r, c);
	return r;
}

static uint32_t message_of(const struct world *w, uint32_t recipient)
{
	return table_recipient(w->t, recipient)->message;
}

static void gone(struct world *w, uint32_t recipient)
{
	uint32_t m = message_of(w, recipient);

	schedule_remove(w->s, m);
	table_remove(w->t, m);
}

/* What happens at this time; SCHEDULE_NOTHING only when there is really nothing. */
static enum schedule_what next(struct world *w)
{
	do
		schedule_next(w->s, w->now, &w->e);
	while (w->e.what == SCHEDULE_NOTHING && w->e.wake <= w->now);
	return w->e.what;
}

/* The recipient that starts now, 0: nobody. */
static uint32_t starts(struct world *w)
{
	return next(w) == SCHEDULE_START ? w->e.recipient : 0;
}

/* Time goes on until somebody starts, or until then. */
static uint32_t starts_before(struct world *w, uint32_t then)
{
	uint32_t r;

	while ((r = starts(w)) == 0 && w->e.what == SCHEDULE_NOTHING && w->e.wake < then)
		w->now = w->e.wake;
	return r;
}

/* Nobody starts before that time; somebody does then. */
static bool sleeps_until(struct world *w, uint32_t then)
{
	while (starts(w) == 0 && w->e.what == SCHEDULE_NOTHING && w->e.wake < then)
		w->now = w->e.wake;
	return w->e.what == SCHEDULE_NOTHING && w->e.wake == then;
}

static bool deliver(struct world *w, uint32_t r)
{
	bool good = !schedule_outcome(w->s, r, SCHEDULE_DELIVERED, w->now);

	gone(w, r);
	return good;
}

/* ---- when ---------------------------------------------------------------------------------------------- */

static void table_of_times(void)
{
	static const struct {
		enum schedule_channel c;
		uint32_t times[12];
	} rows[] = {
		{ SCHEDULE_LOCAL, { 0, 100, 400, 900, 1600, 2500, 3600, 4900, 6400, 8100, 10000 } },
		{ SCHEDULE_REMOTE, { 0, 400, 1600, 3600, 6400, 10000, 14400, 19600, 25600, 32400, 40000 } },
	};
	bool good = true, last = true;
	uint32_t attempts[2] = { 0 }, final[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		struct world w = world();
		uint32_t r, alone = mail(&w, rows[i].c, 1, 1);

		while ((r = starts_before(&w, UINT32_MAX)) != 0) {
			bool again;

			if (attempts[i] < 11)
				good &= w.now - START == rows[i].times[attempts[i]];
			last &= w.e.last == (w.now - START > 604800) && r == alone;
			final[i] = w.now - START;
			attempts[i]++;
			again = schedule_outcome(w.s, r, SCHEDULE_DEFERRED, w.now);
			last &= again != w.e.last;
		}
		good &= w.e.wake == UINT32_MAX;
		end(&w);
	}
	tap_ok(good, "qmail's table of retry times");
	tap_ok(last && final[0] == 608400 && final[1] == 608400,
		"the last attempt is at 780 squared, and then it fails");
	tap_ok(attempts[0] == 79 && attempts[1] == 40, "79 local attempts, 40 remote ones");
	tap_ok(schedule_again(START, START + 500, SCHEDULE_REMOTE) == START + 42 * 42,
		"an attempt at another time: by the age, rounded down");
	tap_ok(schedule_again(START + 9000000, START, SCHEDULE_LOCAL) == START + 100,
		"born tomorrow: as if born now");
	tap_ok(schedule_again(1, UINT32_MAX - 5, SCHEDULE_LOCAL) == UINT32_MAX,
		"time does not begin again");
}

static void slow_delivery(void)
{
	struct world w = world();
	uint32_t r = mail(&w, SCHEDULE_LOCAL, 1, 1);

	starts(&w);
	tap_ok(table_recipient(w.t, r)->due == START + 100 && table_recipient(w.t, r)->tries == 1,
		"the next time is known when an attempt starts");
	w.now += 250;
	tap_ok(starts(&w) == 0 && schedule_outcome(w.s, r, SCHEDULE_DEFERRED, w.now) && starts(&w) == r,
		"and is over when the attempt takes longer");
	end(&w);
}

static void restart(void)
{
	struct world w = world();
	uint32_t m = table_add(w.t, 1, 2), a = table_message(w.t, m)->recipients,
		 b = table_recipient(w.t, a)->next;

	table_message(w.t, m)->born = START - 1000;
	table_recipient(w.t, a)->hop = table_recipient(w.t, b)->hop = 5;
	table_recipient(w.t, a)->due = START + 300;
	table_recipient(w.t, b)->due = START - 300;
	schedule_add(w.s, a, SCHEDULE_UNROUTED);
	schedule_add(w.s, b, SCHEDULE_UNROUTED);
	tap_ok(starts(&w) == b && w.e.channel == SCHEDULE_UNROUTED, "after a restart: where does it go?");
	tap_ok(!schedule_route(w.s, b, SCHEDULE_LOCAL, 77, w.now) && starts(&w) == b &&
			w.e.channel == SCHEDULE_LOCAL && schedule_route(w.s, b, SCHEDULE_LOCAL, 77, w.now),
		"it was routed: there it starts");
	tap_ok(table_recipient(w.t, b)->tries == 1 && table_recipient(w.t, b)->hop == 77,
		"that was one attempt");
	tap_ok(!schedule_route(w.s, b, SCHEDULE_REMOTE, 5, w.now) &&
			schedule_running(w.s, SCHEDULE_LOCAL) == 0 && starts(&w) == b &&
			w.e.channel == SCHEDULE_REMOTE && table_recipient(w.t, b)->tries == 1,
		"routed otherwise at the last moment: it changes lines, and that is no attempt");
	schedule_outcome(w.s, b, SCHEDULE_DEFERRED, w.now);
	tap_ok(sleeps_until(&w, START + 300), "the other one's time has not come");
	w.now = START + 300;
	tap_ok(starts(&w) == a && w.e.channel == SCHEDULE_UNROUTED &&
			schedule_outcome(w.s, a, SCHEDULE_OUR_OWN_FAULT, w.now) && starts(&w) == 0 &&
			w.e.wake > w.now,
		"it could not be found out: later");
	end(&w);
}

static void clocks(void)
{
	struct world w = world();
	uint32_t r = mail(&w, SCHEDULE_REMOTE, 1, 1);

	starts(&w);
	schedule_outcome(w.s, r, SCHEDULE_DEFERRED, w.now);
	w.now -= 60;
	tap_ok(starts(&w) == 0, "a clock that is set back a little: nothing happens");
	w.now -= 100000;
	tap_ok(starts(&w) == r && !w.e.last, "set back a day: nobody waits for that day to come again");
	schedule_outcome(w.s, r, SCHEDULE_DEFERRED, w.now);
	tap_ok(sleeps_until(&w, w.now + 400), "and it goes on from there");
	end(&w);
}

/* ---- how many ------------------------------------------------------------------------------------------ */

static uint32_t running_after(struct world *w)
{
	while (starts(w) != 0)
		;
	return schedule_running(w->s, SCHEDULE_REMOTE);
}

static void concurrency(void)
{
	struct world w = world();

	for (uint32_t i = 0; i < 100; i++) {
		mail(&w, SCHEDULE_REMOTE, i, i);
		mail(&w, SCHEDULE_LOCAL, i, i);
	}
	w.o.concurrency_local = 0;
	configure(&w);
	tap_ok(running_after(&w) == 20 && schedule_running(w.s, SCHEDULE_LOCAL) == 0,
		"20 remote; 0 is hold");
	w.o.concurrency_local = 10;
	w.o.concurrency_remote = 50;
	configure(&w);
	tap_ok(running_after(&w) == 50 && schedule_running(w.s, SCHEDULE_LOCAL) == 10,
		"changed while it runs");
	w.o.concurrency_remote = 10;
	configure(&w);
	tap_ok(running_after(&w) == 50, "fewer: what runs goes on");
	end(&w);

	w = world();
	w.o.concurrency_remote = 1000;
	configure(&w);
	for (uint32_t i = 0; i < 100; i++) {
		mail(&w, SCHEDULE_REMOTE, 1, i);
		mail(&w, SCHEDULE_LOCAL, 1, i);
	}
	tap_ok(running_after(&w) == 5 && schedule_running(w.s, SCHEDULE_LOCAL) == 2,
		"5 at first for a hop, 2 for a user");
	end(&w);
}

static void feedback(void)
{
	struct world w = world();
	uint32_t running[64], count = 0, r, most = 0;

	w.o.concurrency_remote = 1000;
	configure(&w);
	for (uint32_t i = 0; i < 200; i++)
		mail(&w, SCHEDULE_REMOTE, 1, 1);
	while ((r = starts(&w)) != 0)
		running[count++] = r;
	deliver(&w, running[--count]);
	while ((r = starts(&w)) != 0)
		running[count++] = r;
	tap_ok(count == 6, "one more for a success");
	schedule_outcome(w.s, running[--count], SCHEDULE_HOP_DOWN, w.now);
	schedule_outcome(w.s, running[--count], SCHEDULE_DEFERRED, w.now);
	while ((r = starts(&w)) != 0)
		running[count++] = r;
	tap_ok(count == 5, "one fewer when it does not answer; a deferral is an answer");
	for (int i = 0; i < 100; i++) {
		deliver(&w, running[--count]);
		while ((r = starts(&w)) != 0)
			running[count++] = r;
		if (count > most)
			most = count;
	}
	tap_ok(most == 20, "20 are the most");
	end(&w);
}

/* ---- dead hops ----------------------------------------------------------------------------------------- */

static void dead_hop(void)
{
	enum { MAIL = 1000 };
	struct world w = world();
	uint32_t r, attempts = 0, busy = 0, tries = 0, until = START + 86400;

	for (uint32_t i = 0; i < MAIL; i++)
		mail(&w, SCHEDULE_REMOTE, 1, i % 7);
	while ((r = starts_before(&w, until)) != 0) {
		attempts++;
		if (schedule_running(w.s, SCHEDULE_REMOTE) > busy)
			busy = schedule_running(w.s, SCHEDULE_REMOTE);
		schedule_outcome(w.s, r, SCHEDULE_HOP_DOWN, w.now);
		w.now += attempts > 3;
	}
	printf("# a dead hop, a day, a thousand messages: %u attempts\n", attempts);
	tap_ok(attempts >= 24 && attempts < 34, "a day: three attempts, and a probe now and then");
	for (r = table_each_recipient(w.t, 0); r != 0; r = table_each_recipient(w.t, r))
		tries += table_recipient(w.t, r)->tries;
	tap_ok(tries == attempts && busy == 1, "the others have used up neither slots nor tries");

	/* it comes back: the next probe finds out, and all go */
	w.now = until;
	r = starts_before(&w, UINT32_MAX);
	tap_ok(r != 0 && w.now < until + 3700 && starts(&w) == 0, "again one probe only");
	deliver(&w, r);
	for (attempts = 1; (r = starts_before(&w, w.now + 3600)) != 0; attempts++)
		deliver(&w, r);
	printf("# after that: %u at once, %zu left\n", attempts, table_messages(w.t));
	tap_ok(attempts > MAIL - 40, "it answers: all others go at once");
	end(&w);
}

static void hop_dies_in_use(void)
{
	struct world w = world();
	uint32_t running[8], count = 0, r;

	w.o.concurrency_remote = 100;
	configure(&w);
	for (uint32_t i = 0; i < 100; i++)
		mail(&w, SCHEDULE_REMOTE, 1, i);
	while ((r = starts(&w)) != 0)
		running[count++] = r;
	while (count > 1)
		schedule_outcome(w.s, running[--count], SCHEDULE_HOP_DOWN, w.now);
	tap_ok(sleeps_until(&w, START + 300), "three failures: nobody until the probe");
	deliver(&w, running[0]);
	mail(&w, SCHEDULE_REMOTE, 1, 5);
	tap_ok(starts(&w) != 0, "one that began before and gets through: it lives");
	end(&w);
}

static void dead_and_old(void)
{
	enum { MAIL = 2000 };
	struct world w = world();
	uint32_t given_up = 0, failed = 0, lasts = 0, latest = 0;
	bool early = false;

	for (uint32_t i = 0; i < MAIL; i++)
		mail(&w, SCHEDULE_REMOTE, 1, i % 3);
	for (;;) {
		enum schedule_what what = next(&w);

		if (what == SCHEDULE_NOTHING) {
			if (w.e.wake == UINT32_MAX)
				break;
			w.now = w.e.wake;
			continue;
		}
		latest = w.now;
		if (what == SCHEDULE_HOPELESS) {
			given_up++;
			early |= w.now <= START + w.o.lifetime_s;
			gone(&w, w.e.recipient);
			continue;
		}
		lasts += w.e.last;
		if (!schedule_outcome(w.s, w.e.recipient, SCHEDULE_HOP_DOWN, w.now)) {
			failed++;
			gone(&w, w.e.recipient);
		}
	}
	printf("# dead for ever: %u failed after an attempt, %u without, all after %.1f days\n", failed,
		given_up, (latest - START) / 86400.0);
	tap_ok(given_up + failed == MAIL && failed == lasts && failed > 0 && !early,
		"a hop that never comes back: all fail after their lifetime");
	tap_ok(latest < START + w.o.lifetime_s + 40 * 778 + 400 + 3600 && table_messages(w.t) == 0,
		"and none later than the step after it");
	end(&w);
}

static void probes(void)
{
	static const uint32_t pauses[] = { 300, 600, 1200, 2400, 3600, 3600 };
	struct world w = world();
	uint32_t r;
	bool good = true;

	for (uint32_t i = 0; i < 50; i++)
		mail(&w, SCHEDULE_REMOTE, 1, 1);
	while ((r = starts(&w)) != 0)
		schedule_outcome(w.s, r, SCHEDULE_HOP_DOWN, w.now);
	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
		uint32_t then = w.now + pauses[i];

		good &= sleeps_until(&w, then);
		w.now = then;
		r = starts(&w);
		good &= r != 0 && starts(&w) == 0;
		if (r != 0)
			schedule_outcome(w.s, r, SCHEDULE_HOP_DOWN, w.now);
	}
	tap_ok(good, "probes after 5 minutes, 10, 20, 40, and then each hour");
	r = starts_before(&w, UINT32_MAX);
	schedule_outcome(w.s, r, SCHEDULE_OUR_OWN_FAULT, w.now);
	tap_ok(sleeps_until(&w, w.now + 300),
		"a probe that failed by our own fault: another one in 5 minutes");
	w.now += 300;
	r = starts(&w);
	gone(&w, r);
	tap_ok(starts(&w) != 0, "a probe that is removed: another one");
	end(&w);
}

static void many_dead(void)
{
	struct world w = world();
	size_t before;

	w.o.concurrency_remote = 1;
	configure(&w);
	before = schedule_bytes(w.s);
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t r = mail(&w, SCHEDULE_REMOTE, i, i);

		starts(&w);
		schedule_outcome(w.s, r, SCHEDULE_HOP_DOWN, w.now);
		gone(&w, r);
	}
	printf("# a hundred thousand hops that do not answer: %zu KB\n",
		(schedule_bytes(w.s) - before) / 1024);
	tap_ok(schedule_bytes(w.s) - before < 1500000, "what is remembered of dead hops has a bound");
	end(&w);
}

/* ---- fairness ------------------------------------------------------------------------------------------ */

/* How many start before this one does, when all succeed at once. */
static uint32_t before(struct world *w, uint32_t one)
{
	uint32_t r, n = 0;

	while ((r = starts(w)) != 0 && r != one) {
		deliver(w, r);
		n++;
	}
	return r == one ? n : UINT32_MAX;
}

static void fairness(void)
{
	enum { CROWD = 100000 };
	static const struct {
		const char *name;
		uint32_t hops, senders; /* of the crowd */
		uint32_t hop, sender;   /* of the one */
		uint32_t most;
	} cases[] = {
		{ "the same hop", 1, 1, 0, 999999, 4 },
		{ "another hop", 1, 1, 999999, 999999, 4 },
		{ "a hundred thousand hops, one of them", CROWD, 1, 777, 999999, 4 },
		{ "a hundred thousand hops, and another one", CROWD, 1, 999999, 999999, 4 },
		{ "a hundred thousand senders, the same hop: a new one", 1, CROWD, 999999, 999999, 4 },
		{ "ten senders, ten hops", 10, 10, 5, 999999, 24 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct world w = world();
		uint32_t one, n;

		for (uint32_t k = 0; k < CROWD; k++)
			mail(&w, SCHEDULE_REMOTE, k % cases[i].hops, k % cases[i].senders);
		for (int k = 0; k < 10000; k++) /* all have lined up */
			deliver(&w, starts(&w));
		one = mail(&w, SCHEDULE_REMOTE, cases[i].hop, cases[i].sender);
		n = before(&w, one);
		if (!tap_ok(n <= cases[i].most, cases[i].name))
			printf("# %u before it\n", n);
		end(&w);
	}
}

/* All slots are busy for long; the one gets the next that is free, or nearly. */
static void fair_when_full(void)
{
	struct world w = world();
	uint32_t running[64], count = 0, r, one, waited = 0;

	for (uint32_t i = 0; i < 100000; i++)
		mail(&w, SCHEDULE_REMOTE, i % 50000, 1);
	while ((r = starts(&w)) != 0)
		running[count++] = r;
	one = mail(&w, SCHEDULE_REMOTE, 7, 2);
	while (waited < 1000 && r != one) {
		deliver(&w, running[waited % count]);
		r = starts(&w);
		running[waited++ % count] = r;
	}
	tap_ok(r == one && waited <= 4, "all slots busy: the single one has one of the next");
	end(&w);
}

/* Nobody starves: with everything mixed, each is tried within reason. */
static void no_starvation(void)
{
	struct world w = world();
	uint32_t *since = calloc(400000, sizeof *since), longest = 0, started = 0, random = 1;
	struct running {
		uint32_t row, until;
	} running[20] = { { 0 } };
	uint32_t count = 0;
	bool good = true;

	for (uint32_t tick = 0; tick < 20000; tick++) {
		for (int k = 0; k < 8 && tick < 15000; k++) {
			uint32_t r;

			random = random * 1664525 + 1013904223;
			/* half of all mail is one sender's, and half of all for one hop */
			r = mail(&w, SCHEDULE_REMOTE, random >> 31 ? 0 : (random >> 20) % 200,
				random >> 30 & 1 ? 0 : (random >> 10) % 100);
			since[r] = tick;
		}
		for (uint32_t i = 0; i < count;)
			if (running[i].until <= tick) {
				good &= deliver(&w, running[i].row);
				running[i] = running[--count];
			} else {
				i++;
			}
		for (uint32_t r; (r = starts(&w)) != 0;) {
			uint32_t m = message_of(&w, r);
			bool loud = table_recipient(w.t, r)->hop == 0 || table_message(w.t, m)->sender == 0;

			started++;
			if (!loud && tick - since[r] > longest)
				longest = tick - since[r];
			running[count].row = r;
			running[count++].until = tick + 2 + r % 3;
		}
		w.now += tick % 10 == 0;
	}
	printf("# too much mail: %u started, %zu left; of the quiet ones none waited longer than %u "
	       "turns\n",
		started, table_messages(w.t), longest);
	tap_ok(good && longest < 1500,
		"twice as much mail as there are slots: the quiet ones hardly notice");
	free(since);
	end(&w);
}

/* ---- what people ask for ------------------------------------------------------------------------------- */

static void asked_for(void)
{
	struct world w = world();
	uint32_t a = mail(&w, SCHEDULE_REMOTE, 1, 1), b = mail(&w, SCHEDULE_REMOTE, 2, 1), r, n = 0;

	while ((r = starts(&w)) != 0)
		schedule_outcome(w.s, r, SCHEDULE_DEFERRED, w.now);
	w.now += 10;
	schedule_retry(w.s, message_of(&w, a), w.now);
	tap_ok(starts(&w) == a && starts(&w) == 0, "one message now");
	tap_ok(table_recipient(w.t, a)->due == START + 23 * 23, "its age is what it was");
	schedule_outcome(w.s, a, SCHEDULE_DEFERRED, w.now);
	tap_ok(schedule_retry_hop(w.s, 2, w.now) == 0 && starts(&w) == b && starts(&w) == 0, "one hop now");
	schedule_outcome(w.s, b, SCHEDULE_DEFERRED, w.now);
	schedule_retry_all(w.s, w.now);
	while ((r = starts(&w)) != 0) {
		n++;
		schedule_outcome(w.s, r, SCHEDULE_DEFERRED, w.now);
	}
	tap_ok(n == 2, "everything now, once");

	schedule_hold(w.s, message_of(&w, a));
	schedule_retry_all(w.s, w.now);
	tap_ok(starts(&w) == b && starts(&w) == 0, "one that is held is not tried");
	w.now += 100000;
	schedule_outcome(w.s, b, SCHEDULE_DELIVERED, w.now);
	tap_ok(starts(&w) == 0 && w.e.wake == UINT32_MAX, "however long it takes");
	schedule_release(w.s, message_of(&w, a));
	tap_ok(starts(&w) == a, "released: its time has come");
	end(&w);
}

static void held_in_line(void)
{
	struct world w = world();
	uint32_t rows[500], n = 0;

	w.o.concurrency_remote = 0;
	configure(&w);
	for (uint32_t i = 0; i < 500; i++)
		rows[i] = mail(&w, SCHEDULE_REMOTE, 1, 1);
	next(&w);
	for (uint32_t i = 0; i < 499; i++)
		schedule_hold(w.s, message_of(&w, rows[i]));
	w.o.concurrency_remote = 20;
	configure(&w);
	tap_ok(starts(&w) == rows[499] && starts(&w) == 0,
		"hundreds are held in line: the one behind them starts");
	for (uint32_t i = 0; i < 499; i++)
		schedule_release(w.s, message_of(&w, rows[i]));
	deliver(&w, rows[499]);
	for (uint32_t r; (r = starts(&w)) != 0; n++)
		deliver(&w, r);
	tap_ok(n == 499, "and they, when they are released");
	end(&w);
}

static void dead_and_asked_for(void)
{
	struct world w = world();
	uint32_t r, n = 0, rows[20];

	for (uint32_t i = 0; i < 20; i++)
		rows[i] = mail(&w, SCHEDULE_REMOTE, 1, 1);
	while ((r = starts(&w)) != 0)
		schedule_outcome(w.s, r, SCHEDULE_HOP_DOWN, w.now);
	schedule_retry(w.s, message_of(&w, rows[15]), w.now);
	r = starts(&w);
	tap_ok(r == rows[15] && starts(&w) == 0, "retry one of a dead hop: it is the probe");
	schedule_outcome(w.s, r, SCHEDULE_HOP_DOWN, w.now);
	tap_ok(starts(&w) == 0, "and no other");
	schedule_retry_all(w.s, w.now);
	r = starts(&w);
	tap_ok(r != 0 && starts(&w) == 0, "retry everything: a dead hop has its probe at once");
	schedule_outcome(w.s, r, SCHEDULE_HOP_DOWN, w.now);
	tap_ok(starts(&w) == 0, "one");
	tap_ok(schedule_retry_hop(w.s, 1, w.now) == 0 && (r = starts(&w)) != 0 && starts(&w) == 0,
		"retry the hop: one");
	deliver(&w, r);
	while ((r = starts(&w)) != 0) {
		deliver(&w, r);
		n++;
	}
	tap_ok(n == 19, "and when it answers, all that wait for it");
	end(&w);
}

static void removed(void)
{
	struct world w = world();
	uint32_t rows[400], n = 0;
	bool good = true;

	w.o.concurrency_remote = 3;
	configure(&w);
	for (uint32_t i = 0; i < 400; i++)
		rows[i] = mail(&w, SCHEDULE_REMOTE, i % 5, i % 3);
	for (int i = 0; i < 3; i++)
		good &= starts(&w) != 0;
	for (uint32_t i = 0; i < 400; i += 2)
		gone(&w, rows[i]); /* lined up or running */
	for (uint32_t r; (r = starts(&w)) != 0; n++)
		schedule_outcome(w.s, r, n % 2 == 0 ? SCHEDULE_DEFERRED : SCHEDULE_HOP_DOWN, w.now);
	for (uint32_t i = 1; i < 400; i += 2)
		gone(&w, rows[i]); /* waiting, also for a probe */
	tap_ok(good && schedule_running(w.s, SCHEDULE_REMOTE) == 0 && starts(&w) == 0 &&
			table_recipients(w.t) == 0,
		"removed from wherever it is");
	end(&w);
}

/* ---- anything ------------------------------------------------------------------------------------------ */

/* Weeks of whatever may happen: everybody who is not done is tried again, nobody is tried too early, or twice. */
static void anything(void)
{
	enum { MAIL = 3000 };
	struct world w = world();
	uint32_t random = 7, *earliest = calloc(20000, sizeof *earliest), count = 0, done = 0, made = 0,
		 events = 0;
	bool *busy = calloc(20000, sizeof *busy);
	struct {
		uint32_t row, until;
	} running[200];
	bool good = true;

	while (done < MAIL && w.now < START + 5 * 604800 && ++events < 3000000) {
		uint32_t wake, r;

		if (made < MAIL && events % 2 == 0) {
			random = random * 1664525 + 1013904223;
			r = mail(&w, (enum schedule_channel)(random >> 20) % 3, (random >> 22) % 20,
				(random >> 12) % 9);
			earliest[r] = 0;
			made++;
		}
		switch (next(&w)) {
		case SCHEDULE_HOPELESS:
			good &= w.now - table_message(w.t, message_of(&w, w.e.recipient))->born >
				w.o.lifetime_s;
			gone(&w, w.e.recipient);
			done++;
			continue;
		case SCHEDULE_START:
			r = w.e.recipient;
			good &= !busy[r] && earliest[r] <= w.now;
			random = random * 1664525 + 1013904223;
			if (w.e.channel == SCHEDULE_UNROUTED || random >> 27 == 0) {
				good &= !schedule_route(w.s, r,
					w.e.channel == SCHEDULE_LOCAL ? SCHEDULE_REMOTE : SCHEDULE_LOCAL,
					100 + (random >> 20) % 20, w.now);
				continue;
			}
			busy[r] = true;
			earliest[r] = schedule_again(
				table_message(w.t, message_of(&w, r))->born, w.now, w.e.channel);
			running[count].row = r;
			running[count++].until = w.now + (random >> 10) % 900;
			continue;
		case SCHEDULE_NOTHING:
			break;
		}
		wake = w.e.wake;
		for (uint32_t i = 0; i < count; i++)
			if (running[i].until < wake)
				wake = running[i].until;
		if (wake == UINT32_MAX && made == MAIL)
			break;
		if (wake != UINT32_MAX && wake > w.now)
			w.now = wake;
		for (uint32_t i = 0; i < count;) {
			enum schedule_outcome o;

			if (running[i].until > w.now) {
				i++;
				continue;
			}
			r = running[i].row;
			running[i] = running[--count];
			busy[r] = false;
			random = random * 1664525 + 1013904223;
			/* some hops never answer, others not on odd days */
			o = table_recipient(w.t, r)->hop % 4 == 0 ||
					    (table_recipient(w.t, r)->hop % 4 == 1 &&
						    w.now / 86400 % 2 != 0)
				    ? SCHEDULE_HOP_DOWN
				    : (enum schedule_outcome)((random >> 24) % 10 == 0
								      ? (random >> 16) % 2
								      : 2 + (random >> 16) % 3);
			if (!schedule_outcome(w.s, r, o, w.now)) {
				gone(&w, r);
				done++;
			}
		}
	}
	printf("# %u messages, %u events, %.1f days\n", done, events, (w.now - START) / 86400.0);
	tap_ok(good, "weeks of anything: nobody too early, nobody twice");
	tap_ok(done == MAIL && table_messages(w.t) == 0, "and all are done in the end");
	tap_ok(schedule_running(w.s, SCHEDULE_LOCAL) + schedule_running(w.s, SCHEDULE_REMOTE) +
				schedule_running(w.s, SCHEDULE_UNROUTED) ==
			0,
		"no slot is lost");
	free(earliest);
	free(busy);
	end(&w);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* A million that are due at the same moment, and ALRM for them all. */
static void million(void)
{
	enum { MILLION = 1000000 };
	struct world w = world();
	double worst = 0, before_ms, all;
	uint32_t calls = 0, started = 0;
	size_t bytes;

	for (uint32_t i = 0; i < MILLION; i++) {
		w.now = START + 1000;
		mail(&w, SCHEDULE_REMOTE, i % 10007, i % 1009);
	}
	/* all were tried once, long ago */
	for (uint32_t r = table_each_recipient(w.t, 0); r != 0; r = table_each_recipient(w.t, r)) {
		schedule_remove(w.s, message_of(&w, r));
		table_recipient(w.t, r)->tries = 1;
		table_recipient(w.t, r)->due = START + 50000;
		schedule_add(w.s, r, SCHEDULE_REMOTE);
	}
	w.now = START + 20000;
	tap_ok(starts(&w) == 0 && w.e.wake > w.now, "a million wait");
	schedule_retry_all(w.s, w.now);
	all = now_ms();
	do {
		before_ms = now_ms();
		schedule_next(w.s, w.now, &w.e);
		before_ms = now_ms() - before_ms;
		if (before_ms > worst)
			worst = before_ms;
		calls++;
		if (w.e.what == SCHEDULE_START && ++started < 1000)
			deliver(&w, w.e.recipient);
	} while (w.e.what != SCHEDULE_NOTHING || w.e.wake <= w.now);
	bytes = schedule_bytes(w.s);
	printf("# a million due at once: %u calls, %.0f ms, the longest %.2f ms; lines for all: %.1f bytes "
	       "each\n",
		calls, now_ms() - all, worst, (double)bytes / MILLION);
	tap_ok(worst < 20, "ALRM for a million: no call takes long");
	tap_ok(bytes / MILLION < 120, "and their lines are no more than their rows");
	end(&w);
}

/* The machine slept: a year's seconds, each with somebody. */
static void long_sleep(void)
{
	struct world w = world();
	double worst = 0, ms;
	uint32_t n = 0;

	for (uint32_t i = 0; i < 500000; i++) {
		uint32_t r = mail(&w, SCHEDULE_REMOTE, 1, 1);

		schedule_remove(w.s, message_of(&w, r));
		table_recipient(w.t, r)->due = START + 1 + i * 61;
		schedule_add(w.s, r, SCHEDULE_REMOTE);
	}
	w.o.concurrency_remote = 0;
	configure(&w);
	w.now += 500000U * 61 + 1;
	do {
		ms = now_ms();
		schedule_next(w.s, w.now, &w.e);
		ms = now_ms() - ms;
		if (ms > worst)
			worst = ms;
		n++;
	} while (w.e.wake <= w.now);
	printf("# a year later: %u calls, the longest %.2f ms\n", n, worst);
	tap_ok(worst < 20 && w.e.wake == UINT32_MAX, "a year later: no call takes long");
	end(&w);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	table_of_times();
	slow_delivery();
	restart();
	clocks();
	concurrency();
	feedback();
	dead_hop();
	hop_dies_in_use();
	dead_and_old();
	probes();
	many_dead();
	fairness();
	fair_when_full();
	no_starvation();
	asked_for();
	held_in_line();
	dead_and_asked_for();
	removed();
	anything();
	million();
	long_sleep();
	return tap_end();
}
