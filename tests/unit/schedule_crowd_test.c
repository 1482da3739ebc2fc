/* Anything in any order, a million at once, and a long sleep. */
#include <stdlib.h>
#include <time.h>

#include "schedule_world.h"

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
	anything();
	million();
	long_sleep();
	return tap_end();
}
