#include "queue/record.h"

#include <string.h>

struct head {
	uint32_t magic;
	uint32_t length;
	uint64_t segment;
	uint64_t batch;
	uint64_t id;
	uint32_t kind;
	uint32_t head_check;
	uint64_t check;
};

_Static_assert(sizeof(struct head) == RECORD_HEAD, "no padding");

/* Magic and segment are as they should be, whatever is written there: they say that a record may begin, and are no
 * reason to lose it. The place in the file is part of it: a copy of a record elsewhere is none. */
static uint32_t check_of_head(const struct checksum *c, const struct head *h, uint64_t segment)
{
	struct head copy = *h;

	copy.magic = RECORD_MAGIC;
	copy.segment = segment;
	copy.head_check = 0;
	return (uint32_t)checksum_of(c, &copy, sizeof copy);
}

void record_seal(const struct checksum *c, const struct record *r, char *to)
{
	const size_t padded = record_size(r->length) - RECORD_HEAD;
	struct head h = { .magic = RECORD_MAGIC,
		.length = (uint32_t)r->length,
		.segment = r->segment,
		.batch = r->batch,
		.id = r->id,
		.kind = (uint32_t)r->kind };

	memset(to + RECORD_HEAD + r->length, 0, padded - r->length);
	h.check = checksum_of(c, to + RECORD_HEAD, r->length);
	h.head_check = check_of_head(c, &h, r->segment);
	memcpy(to, &h, sizeof h);
}

size_t record_length(const char head[RECORD_HEAD])
{
	struct head h;

	memcpy(&h, head, sizeof h);
	return h.length;
}

/* Is this the head of a record of this segment, of which n bytes are left? */
static bool is_head(const struct checksum *c, uint64_t segment, const char *p, size_t n,
	const struct head *h, struct record *r)
{
	if (h->length > n - RECORD_HEAD || record_size(h->length) > n || h->kind < RECORD_MESSAGE ||
		h->kind > RECORD_END || h->head_check != check_of_head(c, h, segment))
		return false;
	*r = (struct record){ .kind = (enum record_kind)h->kind,
		.segment = segment,
		.batch = h->batch,
		.id = h->id,
		.payload = p + RECORD_HEAD,
		.length = h->length };
	return true;
}

static bool read_head(const struct checksum *c, uint64_t segment, const char *p, size_t n, struct head *h,
	struct record *r)
{
	memset(h, 0, sizeof *h);
	if (n < RECORD_HEAD)
		return false;
	memcpy(h, p, sizeof *h);
	return is_head(c, segment, p, n, h, r);
}

/* One bit of a head that turned over is found by trying each: then not even the message is lost. */
static bool mend_head(const struct checksum *c, uint64_t segment, const char *p, size_t n, struct head *h,
	struct record *r)
{
	unsigned char bytes[RECORD_HEAD];

	if (n < RECORD_HEAD)
		return false;
	memcpy(bytes, p, sizeof bytes);
	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
		memcpy(h, bytes, sizeof *h);
		if (is_head(c, segment, p, n, h, r))
			return true;
		bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
	}
	memcpy(h, bytes, sizeof *h);
	return false;
}

/* Behind a damage: only where the magic is, or looking would cost a sum at every eighth byte. */
static size_t find_next(const struct checksum *c, uint64_t segment, const char *p, size_t n)
{
	struct record r;
	struct head h;

	for (size_t at = RECORD_ALIGN; at + RECORD_HEAD <= n; at += RECORD_ALIGN) {
		memcpy(&h, p + at, sizeof h.magic);
		if (h.magic == RECORD_MAGIC && read_head(c, segment, p + at, n - at, &h, &r))
			return at;
	}
	return n;
}

enum record_found record_read(
	const struct checksum *c, uint64_t segment, const char *p, size_t n, struct record *r, size_t *used)
{
	struct head h;

	if (read_head(c, segment, p, n, &h, r) || mend_head(c, segment, p, n, &h, r)) {
		*used = record_size(r->length);
		return checksum_of(c, r->payload, r->length) == h.check ? RECORD_WHOLE : RECORD_DAMAGED;
	}
	*used = find_next(c, segment, p, n);
	if (*used < n)
		return RECORD_GARBAGE;
	if (n < RECORD_HEAD || h.magic != RECORD_MAGIC || h.segment != segment)
		return RECORD_NONE;
	r->id = h.id;
	return RECORD_CUT;
}
