#include "net/rules_verify.h"

#include <cdb.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct verify {
	const unsigned char *file;
	size_t size;
	size_t tables;         /* where the records end */
	unsigned char *starts; /* a bit for each place where a record begins and no slot named it yet */
	size_t records;
};

static int damaged(void)
{
	errno = EPROTO;
	return -1;
}

static void set_start(struct verify *v, size_t pos)
{
	v->starts[pos >> 3] |= (unsigned char)(1U << (pos & 7));
	v->records++;
}

/* True once for each start: a second slot for the same record is damage. */
static bool take_start(struct verify *v, size_t pos)
{
	const unsigned char bit = (unsigned char)(1U << (pos & 7));

	if (pos >= v->tables || (v->starts[pos >> 3] & bit) == 0)
		return false;
	v->starts[pos >> 3] &= (unsigned char)~bit;
	v->records--;
	return true;
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
	*key_len = cdb_unpack(v->file + pos);
	*data_len = cdb_unpack(v->file + pos + 4);
	return *key_len <= room && *data_len <= room - *key_len;
}

static int check_records(struct verify *v, const struct rules_visit *visit)
{
	size_t pos = RULES_POINTERS, key_len, data_len;

	while (pos < v->tables) {
		const unsigned char *key = v->file + pos + 8;

		if (!measure(v, pos, &key_len, &data_len) || !data_is_good(key + key_len, data_len))
			return damaged();
		set_start(v, pos);
		if (visit->record(visit->arg, (unsigned)pos, key, key_len) == -1)
			return -1;
		pos += 8 + key_len + data_len;
	}
	return 0;
}

struct table {
	const unsigned char *slot; /* 8 bytes each: hash, place of the record (0: free) */
	size_t slots;
	unsigned number;
};

/* How many slots are taken, and one that is not. A free slot is all zero. */
static bool count_slots(const struct table *t, size_t *used, size_t *hole)
{
	*used = 0;
	for (size_t i = 0; i < t->slots; i++) {
		const unsigned char *s = t->slot + 8 * i;

		if (cdb_unpack(s + 4) != 0)
			(*used)++;
		else if (cdb_unpack(s) != 0)
			return false;
		else
			*hole = i;
	}
	return *used * 2 == t->slots;
}

static bool slot_is_good(struct verify *v, const struct table *t, const unsigned char *slot, size_t *home)
{
	const unsigned hash = cdb_unpack(slot);
	const size_t pos = cdb_unpack(slot + 4);

	if ((hash & 255) != t->number || !take_start(v, pos))
		return false;
	*home = (hash >> 8) % t->slots;
	return cdb_hash(v->file + pos + 8, cdb_unpack(v->file + pos)) == hash;
}

/* Walks once round from a hole: a look-up starts at the home of a hash and stops at the first hole, so
 * between a record's home and its slot there must be none. */
static int check_table(struct verify *v, const struct table *t)
{
	size_t used, hole = 0, home, run = 0;

	if (!count_slots(t, &used, &hole))
		return damaged();
	for (size_t i = 1; i < t->slots; i++) {
		const size_t at = (hole + i) % t->slots;
		const unsigned char *s = t->slot + 8 * at;

		if (cdb_unpack(s + 4) == 0) {
			run = 0;
			continue;
		}
		if (!slot_is_good(v, t, s, &home) || (at + t->slots - home) % t->slots > run)
			return damaged();
		run++;
	}
	return 0;
}

static int check_tables(struct verify *v)
{
	size_t pos = v->tables;

	for (size_t i = 0; i < 256; i++) {
		struct table t = { .slots = cdb_unpack(v->file + 8 * i + 4), .number = (unsigned)i };
		const size_t at = cdb_unpack(v->file + 8 * i);

		/* an empty table has no place: some writers put 0 there */
		if ((at != pos && !(at == 0 && t.slots == 0)) || t.slots > (v->size - pos) / 8)
			return damaged();
		t.slot = v->file + pos;
		if (check_table(v, &t) == -1)
			return -1;
		pos += 8 * t.slots;
	}
	return pos == v->size && v->records == 0 ? 0 : damaged();
}

/* The first table begins where the records end; with no records at all, at the end of the pointers. */
static size_t first_table(const unsigned char *file, size_t size)
{
	for (size_t i = 0; i < 256; i++)
		if (cdb_unpack(file + 8 * i + 4) != 0)
			return cdb_unpack(file + 8 * i);
	return size;
}

int rules_verify(const unsigned char *file, size_t size, const struct rules_visit *visit)
{
	struct verify v = { .file = file, .size = size };
	int result;

	if (size < RULES_POINTERS)
		return damaged();
	v.tables = first_table(file, size);
	if (v.tables < RULES_POINTERS || v.tables > size)
		return damaged();
	/* nothing but zeros is what a crash leaves of a file, not a set of rules that lets everybody in */
	if (size == RULES_POINTERS && cdb_unpack(file) == 0)
		return damaged();
	v.starts = calloc(v.tables / 8 + 1, 1);
	if (v.starts == NULL)
		return -1;
	result = check_records(&v, visit);
	if (result == 0)
		result = check_tables(&v);
	free(v.starts);
	return result;
}
