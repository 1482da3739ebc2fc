#include "tcprules/rules_seen.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/addr.h"
#include "net/rules_key.h"

struct slot {
	uint64_t hash;
	uint32_t line; /* of one address; 0: only spans */
	uint32_t span; /* number of the first + 1; 0: none */
	bool is_late;
};

struct span {
	uint32_t next; /* number + 1 */
	uint32_t line;
	unsigned char low, high;
};

struct rules_seen {
	struct slot *slot;
	size_t slots; /* a power of two */
	size_t used;
	struct span *span;
	size_t spans;
	size_t span_room;
};

static void *need(void *p)
{
	if (p == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return p;
}

struct rules_seen *rules_seen_open(void)
{
	struct rules_seen *s = need(calloc(1, sizeof *s));

	s->slots = 64;
	s->slot = need(calloc(s->slots, sizeof *s->slot));
	return s;
}

void rules_seen_close(struct rules_seen *s)
{
	free(s->slot);
	free(s->span);
	free(s);
}

/* FNV-1a */
static uint64_t hash_more(uint64_t h, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 0x100000001b3;
	return h;
}

static uint64_t hash_start(void)
{
	return 0xcbf29ce484222325;
}

/* Names are compared without case and without a last dot. */
static uint64_t hash_key(const char *p, size_t n)
{
	const char *name = rules_key_name(p, n);
	uint64_t h = hash_start();
	size_t name_len;

	if (name == NULL)
		return hash_more(h, p, n);
	h = hash_more(h, p, (size_t)(name - p));
	name_len = rules_key_name_len(name, n - (size_t)(name - p));
	for (size_t i = 0; i < name_len; i++) {
		const char c = rules_key_lower(name[i]);

		h = hash_more(h, &c, 1);
	}
	return h;
}

/* An address with a hole in place of a number. */
static uint64_t hash_hole(const char *p, size_t left, size_t right, size_t n)
{
	uint64_t h = hash_more(hash_start(), p, left);

	h = hash_more(h, "-", 1);
	return hash_more(h, p + right, n - right);
}

static struct slot *find(const struct rules_seen *s, uint64_t hash)
{
	size_t i = (size_t)(hash ^ hash >> 32) & (s->slots - 1);

	while ((s->slot[i].line != 0 || s->slot[i].span != 0) && s->slot[i].hash != hash)
		i = (i + 1) & (s->slots - 1);
	return &s->slot[i];
}

static void grow(struct rules_seen *s)
{
	struct slot *old = s->slot;
	const size_t count = s->slots;

	if (s->used < s->slots / 2)
		return;
	s->slots *= 2;
	s->slot = need(calloc(s->slots, sizeof *s->slot));
	for (size_t i = 0; i < count; i++)
		if (old[i].line != 0 || old[i].span != 0)
			*find(s, old[i].hash) = old[i];
	free(old);
}

static struct slot *take(struct rules_seen *s, uint64_t hash)
{
	struct slot *slot;

	grow(s);
	slot = find(s, hash);
	if (slot->line == 0 && slot->span == 0)
		s->used++;
	slot->hash = hash;
	return slot;
}

static const struct span *span_with(const struct rules_seen *s, const struct slot *slot, unsigned number)
{
	for (uint32_t i = slot->span; i != 0; i = s->span[i - 1].next)
		if (s->span[i - 1].low <= number && number <= s->span[i - 1].high)
			return &s->span[i - 1];
	return NULL;
}

static void add_span(struct rules_seen *s, uint64_t hash, unsigned low, unsigned high, uint32_t line)
{
	struct slot *slot = take(s, hash);

	if (s->spans == s->span_room) {
		s->span_room = s->span_room == 0 ? 64 : s->span_room * 2;
		s->span = need(realloc(s->span, s->span_room * sizeof *s->span));
	}
	s->span[s->spans++] = (struct span){
		.next = slot->span, .line = line, .low = (unsigned char)low, .high = (unsigned char)high
	};
	slot->span = (uint32_t)s->spans;
}

/* What is new of the range, in as few spans as it takes. */
static enum rules_seen_answer add_range(
	struct rules_seen *s, const struct rules_text *t, uint32_t line, unsigned long *earlier)
{
	const uint64_t hash = hash_hole(t->address, t->left, t->right, t->address_len);
	const struct slot *slot = find(s, hash);
	bool fresh[257] = { false };
	enum rules_seen_answer answer = RULES_SEEN_RANGE;

	for (unsigned i = (unsigned)t->next; i <= t->last; i++) {
		const struct span *had = span_with(s, slot, i);

		fresh[i] = had == NULL;
		if (had == NULL)
			answer = RULES_SEEN_NOT;
		else
			*earlier = had->line;
	}
	for (unsigned i = (unsigned)t->next; i <= t->last; i++) {
		const unsigned low = i;

		if (!fresh[i])
			continue;
		while (i < t->last && fresh[i + 1])
			i++;
		add_span(s, hash, low, i, line);
	}
	return answer;
}

/* The first line with a range that one of the numbers is in, 0: none. */
static uint32_t range_with(const struct rules_seen *s, const char *p, size_t n)
{
	size_t left = 0;
	uint32_t first = 0;

	if (s->spans == 0 || memchr(p, '=', n) != NULL || memchr(p, '@', n) != NULL ||
		memchr(p, '/', n) != NULL)
		return 0;
	for (size_t i = 0; i <= n; i++) {
		unsigned value = 0;
		const struct span *had;

		if (i < n && p[i] != '.')
			continue;
		for (size_t k = left; k < i && value < 1000; k++)
			value = value * 10 + (unsigned)(unsigned char)(p[k] - '0');
		had = i > left && value < 256 ? span_with(s, find(s, hash_hole(p, left, i, n)), value)
					      : NULL;
		if (had != NULL && (first == 0 || had->line < first))
			first = had->line;
		left = i + 1;
	}
	return first;
}

/* 10.0.0.0/8 is 10. and shares its entry; one that is several keys is as long as no other address. */
static uint64_t hash_net(const struct rules_text *t)
{
	const unsigned v4_bits = t->is_late ? t->bits - ADDR_V4_BITS : 8;
	const char bits = (char)t->bits;
	struct rules_text copy = *t;
	char memory[ADDR_TEXT + RULES_TEXT_KEY];
	struct str key;

	if (v4_bits == 0 || v4_bits % 8 != 0)
		return hash_more(hash_more(hash_start(), (const char *)t->net.byte, 16), &bits, 1);
	str_init(&key, memory, sizeof memory);
	copy.left = 0;
	(void)rules_text_key(&copy, &key);
	return hash_more(hash_more(hash_start(), t->address, t->left), key.s, key.len);
}

enum rules_seen_answer rules_seen_add(
	struct rules_seen *s, const struct rules_text *t, unsigned long line, unsigned long *earlier)
{
	struct slot *slot;
	bool is_same, replaces;
	uint32_t range;

	if (t->is_range)
		return t->next > t->last ? RULES_SEEN_NOT : add_range(s, t, (uint32_t)line, earlier);
	slot = take(s, t->is_net ? hash_net(t) : hash_key(t->address, t->address_len));
	replaces = slot->line != 0 && slot->is_late && !t->is_late;
	is_same = slot->line != 0 && !replaces;
	range = t->is_net ? 0 : range_with(s, t->address, t->address_len);
	*earlier = slot->line;
	if (!is_same) {
		slot->line = (uint32_t)line;
		slot->is_late = t->is_late;
	}
	if (range != 0 && (!is_same || range < *earlier)) {
		*earlier = range;
		return RULES_SEEN_RANGE;
	}
	return is_same ? RULES_SEEN_SAME : replaces ? RULES_SEEN_LATE : RULES_SEEN_NOT;
}
