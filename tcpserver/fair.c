#include "tcpserver/fair.h"

#include <sys/resource.h>

enum { ROOM_MIN = 64, ROOM_MAX = 2048, OWN_DESCRIPTORS = 64 };
enum { SHARE = 8, ABOVE_SHARE_MS = 500, SILENT_MS = 4000, LATE_MS = 3000 };

size_t fair_room(size_t limit)
{
	struct rlimit files;
	size_t room = limit > ROOM_MAX / 2 ? ROOM_MAX : 2 * limit;

	if (room < ROOM_MIN)
		room = ROOM_MIN;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 2 * room + OWN_DESCRIPTORS)
		room = files.rlim_cur < OWN_DESCRIPTORS ? 1 : (files.rlim_cur - OWN_DESCRIPTORS) / 2 + 1;
	return room;
}

struct session *fair_next(struct sessions *t, const struct limits *l, int64_t now_ms)
{
	struct session *best = NULL;
	unsigned least = 0;

	for (struct session *s = t->queue[QUEUE_ROOM].first; s != NULL; s = s->after) {
		const unsigned claim = limits_claim(l, s->source, now_ms);

		if (best == NULL || claim < least) {
			best = s;
			least = claim;
		}
		if (least == 0)
			break;
	}
	return best;
}

struct session *fair_heaviest(struct sessions *t, const struct limits *l)
{
	struct session *heaviest = NULL;

	for (struct session *s = t->queue[QUEUE_ROOM].first; s != NULL; s = s->after)
		if (heaviest == NULL || l->table[s->source].here >= l->table[heaviest->source].here)
			heaviest = s;
	return heaviest == NULL || l->table[heaviest->source].here < 2 ? NULL : heaviest;
}

/* What the address holds beyond those that are on their way out. */
static uint32_t holds(const struct limits *l, const struct session *s)
{
	return l->table[s->source].slots;
}

/* Who has least of those who wait, how many of them there are, and since when the first one waits. */
struct waiters {
	uint32_t holds;
	size_t count;
	int64_t since_ms;
};

static struct waiters lightest_waiting(const struct sessions *t, const struct limits *l)
{
	struct waiters w = { .holds = UINT32_MAX };

	for (const struct session *s = t->queue[QUEUE_ROOM].first; s != NULL; s = s->after) {
		if (holds(l, s) < w.holds)
			w = (struct waiters){ .holds = holds(l, s), .since_ms = s->since_ms };
		w.count += holds(l, s) == w.holds;
	}
	return w;
}

/* Would it make things more even? Who has none gets one of anybody's; else two must lie between them. */
static bool is_unfair(uint32_t holder, uint32_t waiter)
{
	return waiter == 0 ? holder > 0 : holder > waiter + 1;
}

struct candidate {
	struct session *session;
	uint32_t weight;
	int32_t silent_ms;
	bool hung_up;
};

static bool is_before(const struct candidate *a, const struct candidate *b)
{
	if (a->hung_up != b->hung_up)
		return a->hung_up;
	return a->weight != b->weight ? a->weight > b->weight : a->silent_ms > b->silent_ms;
}

/* Keeps the list sorted, the best first, and no longer than it may be. */
static size_t insert(struct candidate *list, size_t n, size_t most, struct candidate c)
{
	size_t i;

	if (n == most && !is_before(&c, &list[n - 1]))
		return n;
	if (n < most)
		n++;
	for (i = n - 1; i > 0 && is_before(&c, &list[i - 1]); i--)
		list[i] = list[i - 1];
	list[i] = c;
	return n;
}

size_t fair_victims(struct sessions *t, const struct limits *l, struct silence *silence, size_t limit,
	int64_t now_ms, struct session *victims[FAIR_AT_ONCE])
{
	struct candidate list[FAIR_AT_ONCE] = { 0 }, busy = { .session = NULL };
	const size_t leaving = t->queue[QUEUE_SHUT].count + t->queue[QUEUE_TERMINATED].count;
	const size_t share = limit < SHARE ? 1 : limit / SHARE;
	const struct waiters waiters = lightest_waiting(t, l);
	size_t most = waiters.count > leaving ? waiters.count - leaving : 0, n = 0;

	if (most > FAIR_AT_ONCE)
		most = FAIR_AT_ONCE;
	for (size_t i = 0; i < t->high && most > 0; i++) {
		struct candidate c = { .session = &t->table[i] };

		if (c.session->state != SESSION_RUNNING || c.session->is_unix)
			continue;
		c.weight = holds(l, c.session);
		c.silent_ms = silence_ms(silence, &c.session->ends, &c.hung_up);
		if (!c.hung_up && !is_unfair(c.weight, waiters.holds))
			continue;
		if (c.silent_ms >= (c.weight > share ? ABOVE_SHARE_MS : SILENT_MS))
			n = insert(list, n, most, c);
		else if (c.weight > share && (busy.session == NULL || is_before(&c, &busy)))
			busy = c;
	}
	if (busy.session != NULL && now_ms - waiters.since_ms >= LATE_MS)
		n = insert(list, n, most, busy);
	for (size_t i = 0; i < n; i++)
		victims[i] = list[i].session;
	return n;
}
