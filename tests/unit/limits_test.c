#include "tcpserver/limits.h"

#include <string.h>
#include <sys/wait.h>

#include "tests/unit/tap.h"

static struct addr at(const char *text)
{
	struct addr a;

	memset(&a, 0, sizeof a);
	if (addr_parse(text, &a) != NULL)
		tap_ok(false, text);
	return a;
}

struct seat {
	uint32_t source, net;
};

static struct seat enter(struct limits *l, const struct quota *q, const char *text)
{
	const struct addr a = at(text);
	struct seat s;

	limits_enter(l, q, &a, &s.source, &s.net);
	return s;
}

static enum limit admit(struct limits *l, const struct limits_rules *r, struct seat s, int64_t now_ms)
{
	return limits_admit(l, r, &r->quota, s.source, s.net, now_ms);
}

static void test_counts(struct limits *l)
{
	const struct limits_rules r = {
		.quota = { .bits4 = 24, .bits6 = 48, .per_address = 2, .per_net4 = 3 }
	};
	const struct seat a = enter(l, &r.quota, "192.0.2.1"), b = enter(l, &r.quota, "192.0.2.1");
	struct seat c, d;

	tap_ok(admit(l, &r, b, 0) == LIMITS_OK, "two of an address");
	c = enter(l, &r.quota, "192.0.2.1");
	tap_ok(admit(l, &r, c, 0) == LIMITS_ADDRESS, "not three");
	limits_leave(l, c.source, c.net);
	d = enter(l, &r.quota, "192.0.2.2");
	tap_ok(admit(l, &r, d, 0) == LIMITS_OK, "three of a network");
	c = enter(l, &r.quota, "192.0.2.3");
	tap_ok(admit(l, &r, c, 0) == LIMITS_NET, "not four");
	limits_leave(l, a.source, a.net);
	tap_ok(admit(l, &r, c, 0) == LIMITS_OK, "but when one has left");
	limits_leave(l, b.source, b.net);
	limits_leave(l, c.source, c.net);
	limits_leave(l, d.source, d.net);
}

static void test_v6(struct limits *l)
{
	const struct quota q = { .bits4 = 24, .bits6 = 48 };
	const struct seat a = enter(l, &q, "2001:db8::1"), b = enter(l, &q, "2001:db8::ffff:1");
	const struct seat c = enter(l, &q, "2001:db8:0:1::1"), d = enter(l, &q, "::ffff:192.0.2.9");

	tap_ok(a.source == b.source, "a /64 is one address");
	tap_ok(a.source != c.source && a.net == c.net, "two of them in one network");
	tap_ok(d.source == enter(l, &q, "192.0.2.9").source, "a mapped address is IPv4");
}

static void test_rate(struct limits *l)
{
	const struct limits_rules r = { .quota = { .bits4 = 24, .bits6 = 48, .rate = 2, .rate_s = 10 } };
	const struct seat a = enter(l, &r.quota, "198.51.100.1"), b = enter(l, &r.quota, "198.51.100.2");

	tap_ok(admit(l, &r, a, 1000) == LIMITS_OK, "the first");
	tap_ok(admit(l, &r, a, 1000) == LIMITS_OK, "a burst of two");
	tap_ok(admit(l, &r, a, 1000) == LIMITS_RATE && admit(l, &r, a, 5999) == LIMITS_RATE,
		"and no third");
	tap_ok(admit(l, &r, b, 1000) == LIMITS_OK, "another address has its own");
	tap_ok(admit(l, &r, a, 6000) == LIMITS_OK, "one each five seconds");
	tap_ok(admit(l, &r, a, 6000) == LIMITS_RATE, "and not two");
}

static void test_penalty(struct limits *l)
{
	uint16_t seconds[LIMITS_CODES + 1] = { 0 };
	const struct limits_rules r = { .quota = { .bits4 = 24, .bits6 = 48 }, .penalty_s = seconds };
	const struct seat a = enter(l, &r.quota, "203.0.113.1");

	tap_ok(limits_penalty(seconds, "1:5,signal:400") == NULL, "penalties");
	limits_ended(l, &r, a.source, 0, 1000);
	tap_ok(admit(l, &r, a, 1000) == LIMITS_OK, "none for exit 0");
	limits_ended(l, &r, a.source, 1 << 8, 1000);
	tap_ok(admit(l, &r, a, 5999) == LIMITS_PENALTY && admit(l, &r, a, 6000) == LIMITS_OK,
		"five seconds");
	limits_ended(l, &r, a.source, 9, 10000);
	limits_ended(l, &r, a.source, 9, 10000);
	tap_ok(admit(l, &r, a, 609999) == LIMITS_PENALTY && admit(l, &r, a, 610000) == LIMITS_OK,
		"they add up to ten minutes");
	tap_ok(limits_penalty(seconds, "256:1") != NULL && limits_penalty(seconds, "1:601") != NULL &&
			limits_penalty(seconds, "1") != NULL,
		"nonsense is none");
}

static void test_claim(struct limits *l)
{
	const struct quota q = { .bits4 = 24, .bits6 = 48 };
	const struct seat a = enter(l, &q, "203.0.113.9");

	limits_slot(l, a.source, true);
	limits_slot(l, a.source, true);
	tap_ok(limits_claim(l, a.source, 0) == 2, "two slots");
	limits_slot(l, a.source, false);
	limits_shed(l, a.source, 1000);
	limits_shed(l, a.source, 2000);
	tap_ok(limits_claim(l, a.source, 2000) == 3, "one slot, and two that it lost");
	tap_ok(limits_claim(l, a.source, 62001) == 1, "which are forgotten after a minute");
}

/* More sources than the table has: who is here is never forgotten. */
static void test_forgetting(void)
{
	const struct limits_rules r = { .quota = { .bits4 = 24, .bits6 = 48, .per_address = 1 } };
	struct limits l;
	struct seat here;
	struct addr a = at("10.0.0.0");

	if (limits_init(&l, 2) == -1)
		return;
	here = enter(&l, &r.quota, "192.0.2.1");
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t source, net;

		a.byte[13] = (unsigned char)(i >> 8);
		a.byte[14] = (unsigned char)i;
		limits_enter(&l, &r.quota, &a, &source, &net);
		limits_leave(&l, source, net);
	}
	tap_ok(enter(&l, &r.quota, "192.0.2.1").source == here.source, "it is where it was");
	tap_ok(admit(&l, &r, here, 0) == LIMITS_ADDRESS, "and counted");
	limits_free(&l);
}

int main(void)
{
	struct limits l;

	if (tap_ok(limits_init(&l, 100) == 0, "a table")) {
		test_counts(&l);
		test_v6(&l);
		test_rate(&l);
		test_penalty(&l);
		test_claim(&l);
		limits_free(&l);
	}
	test_forgetting();
	return tap_end();
}
