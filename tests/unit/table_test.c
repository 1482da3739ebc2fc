/* What is queued, in memory: rows, their numbers, and what a million of them costs. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/siphash.h"
#include "queue/table.h"
#include "tap.h"

static const uint8_t key[TABLE_KEY] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static void hashes(void)
{
	uint8_t text[15];
	struct table *t = table_open(key), *u = table_open(NULL), *v = table_open(NULL);
	char *longer = malloc(5001);

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)i;
	tap_ok(siphash(key, text, 15) == 0xa129ca6149be45e5, "SipHash: the vector of its paper");
	tap_ok(siphash(key, text, 0) == 0x726fdb47dd0e0e31, "SipHash: the vector for nothing");
	tap_ok(siphash(key, text, 8) == 0x93f5f5799a932462, "SipHash: the vector for one whole word");
	tap_ok(table_hash_domain(t, "Joe@Example.ORG") == table_hash_domain(t, "x@y@example.org"),
		"a domain is what stands behind the last @, in lower case");
	tap_ok(table_hash_domain(t, "joe") == table_hash_domain(t, ""), "no domain: that of nothing");
	tap_ok(table_hash(t, "Joe@x") == table_hash(t, "joe@X") &&
			table_hash(t, "joe@x") != table_hash(t, "jo@x"),
		"an address: in lower case, and all of it");
	memset(longer, 'x', 5000);
	longer[5000] = '\0';
	longer[300] = 'y';
	tap_ok(table_hash(t, longer) != table_hash(t, longer + 1), "a long one is hashed whole");
	tap_ok(table_hash(u, "joe@x") != table_hash(v, "joe@x") || table_hash(u, "a") != table_hash(v, "a"),
		"each table has a key of its own");
	tap_ok(table_use_key(u, table_key(v)) == 0 && table_hash(u, "joe@x") == table_hash(v, "joe@x"),
		"the same key, the same hashes");
	tap_ok(table_add(u, 1, 1) != 0 && table_use_key(u, key) == -1 && errno == EBUSY,
		"no other key once there are rows");
	free(longer);
	table_close(t);
	table_close(u);
	table_close(v);
}

static void shape(void)
{
	struct table *t = table_open(key);
	uint32_t a = table_add(t, 7, 3), b = table_add(t, 9, 0), r;
	bool good = true, orphan = true;
	int n = 0;

	for (r = table_message(t, a)->recipients; r != 0; r = table_recipient(t, r)->next, n++)
		good &= table_recipient(t, r)->message == a && table_recipient(t, r)->state == TABLE_TODO;
	tap_ok(good && n == 3 && table_recipients(t) == 3, "a message and its recipients");
	tap_ok(table_message(t, b)->recipients == 0 && table_messages(t) == 2, "a message without any");
	tap_ok(table_find(t, 7) == a && table_find(t, 9) == b && table_find(t, 8) == 0,
		"found by their ids");
	tap_ok(table_each(t, 0) == a && table_each(t, a) == b && table_each(t, b) == 0, "each once");
	table_message(t, a)->flags = TABLE_HELD;
	table_recipient(t, table_message(t, a)->recipients)->tries = 5;
	table_remove(t, a);
	tap_ok(table_find(t, 7) == 0 && table_recipients(t) == 0 && table_each(t, 0) == b,
		"one is removed");
	a = table_add(t, 8, 2);
	tap_ok(table_message(t, a)->flags == 0, "a row that is used again is empty");
	for (r = table_message(t, a)->recipients; r != 0; r = table_recipient(t, r)->next)
		orphan &= table_recipient(t, r)->tries == 0;
	tap_ok(orphan, "and its recipients are");
	table_remove(t, a);
	table_remove(t, b);
	tap_ok(table_each(t, 0) == 0 && table_each_recipient(t, 0) == 0, "nothing is left");
	table_close(t);
}

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)random_state * n >> 32);
}

/* Against a model that cannot be wrong. */
static void anything(void)
{
	enum { IDS = 20000, STEPS = 200000 };
	static uint32_t rows[IDS], sizes[IDS];
	struct table *t = table_open(key);
	size_t messages = 0, recipients = 0, met = 0, met_recipients = 0;
	bool good = true;

	for (int i = 0; i < STEPS; i++) {
		uint32_t id = random_below(IDS);

		/* the tide comes and goes, so that pieces do */
		if (rows[id] == 0 && (i / 40000) % 2 == 0) {
			sizes[id] = random_below(4);
			rows[id] = table_add(t, id + 1, sizes[id]);
			good &= rows[id] != 0;
			messages++;
			recipients += sizes[id];
		} else if (rows[id] != 0) {
			good &= table_find(t, id + 1) == rows[id] &&
				table_message(t, rows[id])->id == id + 1;
			table_remove(t, rows[id]);
			good &= table_find(t, id + 1) == 0;
			rows[id] = 0;
			messages--;
			recipients -= sizes[id];
		}
		good &= table_messages(t) == messages && table_recipients(t) == recipients;
	}
	for (uint32_t m = table_each(t, 0); m != 0; m = table_each(t, m)) {
		good &= rows[table_message(t, m)->id - 1] == m;
		met++;
	}
	for (uint32_t r = table_each_recipient(t, 0); r != 0; r = table_each_recipient(t, r)) {
		good &= rows[table_message(t, table_recipient(t, r)->message)->id - 1] ==
			table_recipient(t, r)->message;
		met_recipients++;
	}
	tap_ok(good, "two hundred thousand steps, like the model");
	tap_ok(met == messages && met_recipients == recipients && met > 0, "and what is left is met once");
	table_close(t);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void million(void)
{
	enum { MILLION = 1000000 };
	struct table *t = table_open(key);
	size_t empty, full;
	double worst = 0, start = now_ms(), before;
	bool good = true;

	empty = table_bytes(t);
	for (uint64_t id = 1; id <= MILLION; id++) {
		before = now_ms();
		good &= table_add(t, id, 1) != 0;
		if (now_ms() - before > worst)
			worst = now_ms() - before;
	}
	full = table_bytes(t);
	printf("# a million: %.1f bytes each, %.0f ms, the longest step %.2f ms\n",
		(double)(full - empty) / MILLION, now_ms() - start, worst);
	tap_ok(good && (full - empty) / MILLION < 80, "a message with one recipient: under 80 bytes");
	tap_ok(worst < 20, "no step stops for all the others");
	good = true;
	for (uint64_t id = 1; id <= MILLION; id++)
		good &= table_find(t, id) != 0;
	tap_ok(good, "all are found");
	for (uint64_t id = 1; id < MILLION; id++)
		table_remove(t, table_find(t, id));
	before = now_ms();
	good = table_message(t, table_each(t, 0))->id == MILLION && table_each(t, table_each(t, 0)) == 0;
	tap_ok(good && now_ms() - before < 5, "the last one of a million is met at once");
	printf("# afterwards: %zu KB\n", table_bytes(t) / 1024);
	tap_ok(table_bytes(t) < full / 10, "what they needed is given back");
	table_close(t);

	t = table_open(key);
	good = true;
	for (uint64_t id = 1; id <= MILLION / 100; id++)
		good &= table_add(t, id, 100) != 0;
	printf("# a hundred a message: %.1f bytes a recipient\n", (double)table_bytes(t) / MILLION);
	tap_ok(good && table_bytes(t) / MILLION < 32, "a recipient more: under 32 bytes");
	table_close(t);
}

int main(void)
{
	hashes();
	shape();
	anything();
	million();
	return tap_end();
}
