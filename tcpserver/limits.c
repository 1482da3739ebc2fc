#include "tcpserver/limits.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/num.h"

enum { MEMORY = 1024 /* sources that may be remembered beyond those that are here */ };
enum { SHED_MEMORY_MS = 60 * 1000, PENALTY_MAX_MS = 600 * 1000, LOAD_EVERY_MS = 1000 };
enum { V4_IN_V6 = 96, V6_HOST = 64 };

int limits_init(struct limits *l, size_t sessions)
{
	size_t heads = 256;

	memset(l, 0, sizeof *l);
	l->size = 2 * sessions + MEMORY;
	while (heads < l->size)
		heads *= 2;
	l->mask = heads - 1;
	l->load_read_ms = INT64_MIN;
	/* in one piece, which is large enough to cost nothing where it is not used */
	l->table = calloc(1, l->size * sizeof *l->table + heads * sizeof *l->heads);
	if (l->table == NULL)
		return -1;
	l->heads = (uint32_t *)(l->table + l->size);
	if (getrandom(&l->seed, sizeof l->seed, GRND_NONBLOCK) == -1)
		l->seed = (uint64_t)(uintptr_t)l->table;
	return 0;
}

void limits_free(struct limits *l)
{
	free(l->table);
}

/* ---- sources -------------------------------------------------------------------------------------- */

/* Keyed, so that nobody can choose addresses that share a chain. */
static uint32_t *chain(struct limits *l, const unsigned char key[16], unsigned bits)
{
	uint64_t a, b, h;

	memcpy(&a, key, 8);
	memcpy(&b, key + 8, 8);
	h = (a ^ l->seed) * 0x9e3779b97f4a7c15U;
	h ^= h >> 29;
	h = (h ^ b ^ bits) * 0xbf58476d1ce4e5b9U;
	h ^= h >> 32;
	h = (h ^ l->seed) * 0x94d049bb133111ebU;
	return &l->heads[(h >> 32) & l->mask];
}

static void unlink_source(struct limits *l, uint32_t number)
{
	struct source *s = &l->table[number - 1];
	uint32_t *link = chain(l, s->key, s->bits);

	while (*link != number)
		link = &l->table[*link - 1].next;
	*link = s->next;
}

/* A place that was never used, else one of somebody who is not here. There always is one: the table has twice
 * as many as there can be sessions. */
static uint32_t free_place(struct limits *l)
{
	if (l->used < l->size)
		return (uint32_t)++l->used;
	while (l->table[l->hand].here > 0)
		l->hand = (l->hand + 1) % l->size;
	unlink_source(l, (uint32_t)l->hand + 1);
	memset(&l->table[l->hand], 0, sizeof l->table[l->hand]);
	l->hand = (l->hand + 1) % l->size;
	return (uint32_t)(l->hand == 0 ? l->size : l->hand);
}

static uint32_t find(struct limits *l, const struct addr *a, unsigned bits)
{
	unsigned char key[16] = { 0 };
	uint32_t *head, number;

	memcpy(key, a->byte, bits / 8);
	if (bits % 8 != 0)
		key[bits / 8] = a->byte[bits / 8] & (unsigned char)(0xff << (8 - bits % 8));
	head = chain(l, key, bits);
	for (number = *head; number != 0; number = l->table[number - 1].next)
		if (l->table[number - 1].bits == bits && memcmp(l->table[number - 1].key, key, 16) == 0)
			return number - 1;
	number = free_place(l);
	memcpy(l->table[number - 1].key, key, 16);
	l->table[number - 1].bits = (uint8_t)bits;
	l->table[number - 1].next = *head;
	*head = number;
	return number - 1;
}

void limits_enter(
	struct limits *l, const struct quota *q, const struct addr *a, uint32_t *source, uint32_t *net)
{
	const bool v4 = addr_is_v4(a);

	*source = find(l, a, v4 ? 128 : V6_HOST);
	l->table[*source].here++;
	*net = find(l, a, v4 ? V4_IN_V6 + q->bits4 : q->bits6);
	l->table[*net].here += *net != *source;
}

void limits_leave(struct limits *l, uint32_t source, uint32_t net)
{
	l->table[source].here--;
	l->table[net].here -= net != source;
}

void limits_slot(struct limits *l, uint32_t source, bool taken)
{
	l->table[source].slots += taken ? 1 : -1U;
}

void limits_shed(struct limits *l, uint32_t source, int64_t now_ms)
{
	struct source *s = &l->table[source];

	if (now_ms - s->shed_ms > SHED_MEMORY_MS)
		s->shed = 0;
	s->shed_ms = now_ms;
	if (s->shed < UINT16_MAX)
		s->shed++;
}

unsigned limits_claim(const struct limits *l, uint32_t source, int64_t now_ms)
{
	const struct source *s = &l->table[source];

	return s->slots + (now_ms - s->shed_ms > SHED_MEMORY_MS ? 0U : s->shed);
}

void limits_ended(
	struct limits *l, const struct limits_rules *r, uint32_t source, int status, int64_t now_ms)
{
	struct source *s = &l->table[source];
	int64_t ms;

	if (r->penalty_s == NULL)
		return;
	ms = 1000 * (int64_t)r->penalty_s[WIFEXITED(status) ? WEXITSTATUS(status) : LIMITS_SIGNAL];
	if (ms == 0)
		return;
	if (s->penalty_until_ms < now_ms)
		s->penalty_until_ms = now_ms;
	s->penalty_until_ms += ms;
	if (s->penalty_until_ms > now_ms + PENALTY_MAX_MS)
		s->penalty_until_ms = now_ms + PENALTY_MAX_MS;
}

/* ---- the answer ----------------------------------------------------------------------------------- */

/* The bucket holds N; each connection adds one, and one runs out every rate_s / N seconds. */
static bool is_too_fast(struct source *s, const struct quota *q, int64_t now_ms)
{
	const int64_t span_ms = 1000 * (int64_t)q->rate_s;
	const int64_t each_ms = span_ms / (int64_t)q->rate;
	const int64_t from_ms = s->full_until_ms > now_ms ? s->full_until_ms : now_ms;

	if (from_ms + each_ms > now_ms + span_ms)
		return true;
	s->full_until_ms = from_ms + each_ms;
	return false;
}

static unsigned long load_now(struct limits *l, int64_t now_ms)
{
	char text[64];
	ssize_t n;
	unsigned long whole = 0, part = 0;

	if (l->load_read_ms != INT64_MIN && now_ms - l->load_read_ms < LOAD_EVERY_MS)
		return l->load;
	l->load_read_ms = now_ms;
	n = fs_read_all(AT_FDCWD, "/proc/loadavg", text, sizeof text);
	if (n > 0) {
		const size_t digits = num_leading(text, (size_t)n, &whole);

		if (text[digits] == '.')
			num_leading(text + digits + 1, 2, &part);
	}
	l->load = whole * 100 + part;
	return l->load;
}

enum limit limits_admit(struct limits *l, const struct limits_rules *r, const struct quota *q,
	uint32_t source, uint32_t net, int64_t now_ms)
{
	struct source *s = &l->table[source];
	const unsigned long per_net = s->bits == 128 ? q->per_net4 : q->per_net6;

	if (r->penalty_s != NULL && now_ms < s->penalty_until_ms)
		return LIMITS_PENALTY;
	if (q->per_address != 0 && s->here > q->per_address)
		return LIMITS_ADDRESS;
	if (per_net != 0 && l->table[net].here > per_net)
		return LIMITS_NET;
	if (q->load != 0 && load_now(l, now_ms) > q->load)
		return LIMITS_LOAD;
	if (q->rate != 0 && is_too_fast(s, q, now_ms))
		return LIMITS_RATE;
	return LIMITS_OK;
}

const char *limits_word(enum limit verdict)
{
	static const char *const words[] = {
		[LIMITS_OK] = "ok",
		[LIMITS_ADDRESS] = "address",
		[LIMITS_NET] = "net",
		[LIMITS_RATE] = "rate",
		[LIMITS_LOAD] = "load",
		[LIMITS_PENALTY] = "penalty",
		[LIMITS_BAD] = "rule",
	};

	return words[verdict];
}

/* ---- texts ---------------------------------------------------------------------------------------- */

enum { PENALTY_S_MAX = 600 };

const char *limits_penalty(uint16_t *penalty_s, const char *text)
{
	while (*text != '\0') {
		const char *colon = strchr(text, ':');
		unsigned long code = LIMITS_SIGNAL, seconds;
		size_t n;

		if (colon == NULL)
			return "is no penalty: CODE:SECONDS, as in 1:5,signal:30";
		if (strncmp(text, "signal:", 7) != 0 &&
			num_parse_n(text, (size_t)(colon - text), 0, LIMITS_CODES - 1, &code) != NULL)
			return "has an exit code that is none";
		text = colon + 1;
		n = strcspn(text, ",");
		if (num_parse_n(text, n, 0, PENALTY_S_MAX, &seconds) != NULL)
			return "has a penalty outside 0 to 600 seconds";
		penalty_s[code] = (uint16_t)seconds;
		text += n + (text[n] == ',');
	}
	return NULL;
}

const char *limits_read(struct quota *q, const struct env *env)
{
	for (int i = 0; i < QUOTA_VARIABLES; i++) {
		const char *value = env_added(env, quota_variables[i]);

		if (value != NULL && quota_set(q, i, value) != NULL)
			return quota_variables[i];
	}
	return NULL;
}
