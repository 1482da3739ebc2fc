/* Whose turn it is: dead hops keep nobody waiting, and one sender's many messages not another's one. */
#include <stdlib.h>

#include "schedule_world.h"

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

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	dead_hop();
	hop_dies_in_use();
	dead_and_old();
	probes();
	many_dead();
	fairness();
	fair_when_full();
	no_starvation();
	return tap_end();
}
