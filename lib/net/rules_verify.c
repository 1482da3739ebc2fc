#include "net/rules_verify.h"

#include <cdb.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

/* The slots name exactly the records when the same pairs of hash and place are in both. To look each record up
 * would be a walk through the whole memory at random, seven times as slow: so what is compared is the sums of a
 * number that is made of each pair. A file that is damaged has the same sum once in 2^64 times, and one that is
 * forged no more often, as long as the secret is one. */
struct verify {
	const unsigned char *file;
	size_t size;
	size_t tables;   /* where the records end */
	size_t records;  /* that no slot has named yet */
	uint64_t sum;    /* of them */
	uint64_t secret; /* this process's own */
};

static int damaged(void)
{
	errno = EPROTO;
	return -1;
}

static uint32_t number(const unsigned char *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof n);
	return le32toh(n);
}

/* The finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
	return x ^ (x >> 31);
}

static uint64_t pair(const struct verify *v, uint32_t hash, uint32_t pos)
{
	return mix(((uint64_t)pos << 32 | hash) ^ v->secret);
}

static uint64_t secret(const struct verify *v)
{
	uint64_t s;

	/* before there is randomness, soon after the machine starts, where we lie is a secret too */
	return getrandom(&s, sizeof s, GRND_NONBLOCK) == sizeof s ? s : mix((uintptr_t)v);
}

/* "D\0"? then "+NAME=value\0" ... */
static bool data_is_good(const unsigned char *data, size_t n)
{
	const unsigned char *end = data + n;

	if (n >= 2 && data[0] == 'D' && data[1] == '\0')
		data += 2;
	while (data < end) {
		const unsigned char *nul = memchr(data, '\0', (size_t)(end - data));

		if (nul == NULL || *data != '+' || memchr(data, '=', (size_t)(nul - data)) == NULL)
			return false;
		data = nul + 1;
	}
	return true;
}

/* The record at pos lies whole before the tables. */
static bool measure(const struct verify *v, size_t pos, size_t *key_len, size_t *data_len)
{
	size_t room = v->tables - pos;

	if (room < 8)
		return false;
	room -= 8;
	*key_len = number(v->file + pos);
	*data_len = number(v->file + pos + 4);
	return *key_len <= room && *data_len <= room - *key_len;
}

static int check_records(struct verify *v, const struct rules_visit *visit)
{
	size_t pos = RULES_POINTERS, key_len, data_len;

	while (pos < v->tables) {
		const unsigned char *key = v->file + pos + 8;

		if (!measure(v, pos, &key_len, &data_len) || !data_is_good(key + key_len, data_len))
			return damaged();
		v->sum += pair(v, cdb_hash(key, (unsigned)key_len), (uint32_t)pos);
		v->records++;
		if (visit->record(visit->arg, (unsigned)pos, key, key_len) == -1)
			return -1;
		pos += 8 + key_len + data_len;
	}
	return 0;
}

struct table {
	const unsigned char *slot; /* 8 bytes each: hash, place of the record (0: free) */
	uint32_t slots;
	uint32_t number;
};

/* How many slots are taken, and one that is not. A free slot is all zero. */
static bool count_slots(const struct table *t, uint32_t *used, uint32_t *hole)
{
	*used = 0;
	for (uint32_t i = 0; i < t->slots; i++) {
		const unsigned char *s = t->slot + 8 * (size_t)i;

		if (number(s + 4) != 0)
			(*used)++;
		else if (number(s) != 0)
			return false;
		else
			*hole = i;
	}
	return *used == t->slots / 2 && t->slots % 2 == 0;
}

/* Slots from a hash's home to this one. */
static uint32_t distance(const struct table *t, uint32_t at, uint32_t hash)
{
	const uint32_t home = (hash >> 8) % t->slots;

	return at >= home ? at - home : at + (t->slots - home);
}

/* Walks once round from a hole: a look-up starts at the home of a hash and stops at the first hole, so
 * between a record's home and its slot there must be none. */
static int check_table(struct verify *v, const struct table *t)
{
	uint32_t used, hole = 0, run = 0;

	if (!count_slots(t, &used, &hole))
		return damaged();
	for (uint32_t i = 1, at = hole + 1; i < t->slots; i++, at++) {
		uint32_t hash, pos;

		if (at == t->slots)
			at = 0;
		hash = number(t->slot + 8 * (size_t)at);
		pos = number(t->slot + 8 * (size_t)at + 4);
		if (pos == 0) {
			run = 0;
			continue;
		}
		if ((hash & 255) != t->number || distance(t, at, hash) > run)
			return damaged();
		v->sum -= pair(v, hash, pos);
		v->records--;
		run++;
	}
	return 0;
}

static int check_tables(struct verify *v)
{
	size_t pos = v->tables;

	for (size_t i = 0; i < 256; i++) {
		struct table t = { .slots = number(v->file + 8 * i + 4), .number = (uint32_t)i };
		const size_t at = number(v->file + 8 * i);

		/* an empty table has no place: some writers put 0 there */
		if ((at != pos && !(at == 0 && t.slots == 0)) || t.slots > (v->size - pos) / 8)
			return damaged();
		t.slot = v->file + pos;
		if (check_table(v, &t) == -1)
			return -1;
		pos += 8 * (size_t)t.slots;
	}
	return pos == v->size && v->records == 0 && v->sum == 0 ? 0 : damaged();
}

/* The first table begins where the records end; with no records at all, at the end of the pointers. */
static size_t first_table(const unsigned char *file, size_t size)
{
	for (size_t i = 0; i < 256; i++)
		if (number(file + 8 * i + 4) != 0)
			return number(file + 8 * i);
	return size;
}

int rules_verify(const unsigned char *file, size_t size, const struct rules_visit *visit)
{
	struct verify v = { .file = file, .size = size };

	v.secret = secret(&v);
	if (size < RULES_POINTERS)
		return damaged();
	v.tables = first_table(file, size);
	if (v.tables < RULES_POINTERS || v.tables > size)
		return damaged();
	/* nothing but zeros is what a crash leaves of a file, not a set of rules that lets everybody in */
	if (size == RULES_POINTERS && number(file) == 0)
		return damaged();
	return check_records(&v, visit) == -1 ? -1 : check_tables(&v);
}
