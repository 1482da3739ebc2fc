/* Who is tried when, how many at once, and what people ask for: weeks of it, without waiting. */
#include "schedule_world.h"

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

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	table_of_times();
	slow_delivery();
	restart();
	clocks();
	concurrency();
	feedback();
	asked_for();
	held_in_line();
	dead_and_asked_for();
	removed();
	return tap_end();
}
