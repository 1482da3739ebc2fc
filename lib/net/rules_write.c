/* The other half of net/rules.h: a cdb is written in one go, records first, then their 256 tables. */
#include "net/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "net/rules_verify.h"

enum {
	TABLES = 256,
	OUT = 256 * 1024, /* bytes a write(2) */
	BEGIN = 4 << 20,
	CHUNK_ENTRIES = 519,    /* a page and a cache line: all lists grow alike, and in the same few sets
				 * of the cache if they were a page apart */
	FIRST_BLOCK = 1 << 20,  /* small pages, of which a small file needs few */
	LARGE_BLOCK = 32 << 20, /* of huge pages, if the system has them */
};

/* Where a record is, for the table that it belongs to. */
struct entry {
	uint32_t hash;
	uint32_t pos;
};

struct chunk {
	struct chunk *next;
	struct entry entry[CHUNK_ENTRIES];
};

/* The entries of one table in the order they came. */
struct list {
	struct entry *at; /* the next one goes here */
	struct entry *end;
	struct chunk *first;
	struct chunk *last;
};

/* Memory for chunks; its own first bytes are the link. */
struct block {
	struct block *next;
	size_t size;
};

struct rules_make {
	int fd;
	uint32_t pos; /* where the next record will be */
	uint64_t count;
	unsigned char *out; /* not yet written */
	size_t used;
	size_t room;
	off_t begun; /* up to here the disk has been told to begin */
	off_t written;
	struct block *blocks;
	char *chunk; /* the next one */
	char *chunk_end;
	struct list list[TABLES];
};

void rules_put_deny(struct str *data)
{
	str_put(data, "D", 2);
}

void rules_put_variable(
	struct str *data, const char *name, size_t name_size, const char *value, size_t value_size)
{
	char *to = data->s + data->len;

	/* one check for all: this is done once a line */
	if (data->full || name_size + value_size + 3 >= data->cap - data->len) {
		data->full = true;
		return;
	}
	*to++ = '+';
	memcpy(to, name, name_size);
	to += name_size;
	*to++ = '=';
	memcpy(to, value, value_size);
	to += value_size;
	*to++ = '\0';
	*to = '\0';
	data->len = (size_t)(to - data->s);
}

static void pack(unsigned char to[4], uint32_t n)
{
	to[0] = (unsigned char)n;
	to[1] = (unsigned char)(n >> 8);
	to[2] = (unsigned char)(n >> 16);
	to[3] = (unsigned char)(n >> 24);
}

static uint32_t unpack(const unsigned char from[4])
{
	return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void make_free(struct rules_make *m)
{
	while (m->blocks != NULL) {
		struct block *b = m->blocks;

		m->blocks = b->next;
		munmap(b, b->size);
	}
	free(m->out);
	free(m);
}

struct rules_make *rules_make_open(int fd)
{
	struct rules_make *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->out = malloc(OUT);
	if (m->out == NULL) {
		make_free(m);
		return NULL;
	}
	m->fd = fd;
	m->room = OUT;
	memset(m->out, 0, RULES_POINTERS); /* until they are known */
	m->used = RULES_POINTERS;
	m->pos = RULES_POINTERS;
	return m;
}

/* The disk works while we do, so the fsync at the end has less to wait for. */
static void begin_writing(struct rules_make *m)
{
	if (m->written - m->begun < BEGIN)
		return;
	(void)sync_file_range(m->fd, m->begun, m->written - m->begun, SYNC_FILE_RANGE_WRITE);
	m->begun = m->written;
}

static int flush(struct rules_make *m)
{
	const size_t n = m->used;

	m->used = 0;
	m->written += (off_t)n;
	if (fs_write_all(m->fd, m->out, n) == -1)
		return -1;
	begin_writing(m);
	return 0;
}

/* ---- what the tables will hold --------------------------------------------------------------------- */

static int new_block(struct rules_make *m)
{
	const size_t size = m->blocks == NULL ? FIRST_BLOCK : LARGE_BLOCK;
	struct block *b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		return -1;
	if (size == LARGE_BLOCK)
		(void)madvise(b, size, MADV_HUGEPAGE); /* only to be faster */
	b->next = m->blocks;
	b->size = size;
	m->blocks = b;
	m->chunk = (char *)(b + 1);
	m->chunk_end = (char *)b + size;
	return 0;
}

static int new_chunk(struct rules_make *m, struct list *l)
{
	struct chunk *c;

	if ((size_t)(m->chunk_end - m->chunk) < sizeof *c && new_block(m) == -1)
		return -1;
	c = (struct chunk *)(void *)m->chunk;
	m->chunk += sizeof *c;
	if (l->last == NULL)
		l->first = c;
	else
		l->last->next = c;
	l->last = c;
	l->at = c->entry;
	l->end = c->entry + CHUNK_ENTRIES;
	return 0;
}

static int remember(struct rules_make *m, uint32_t hash)
{
	struct list *l = &m->list[hash % TABLES];

	if (l->at == l->end && new_chunk(m, l) == -1)
		return -1;
	*l->at++ = (struct entry){ .hash = hash, .pos = m->pos };
	m->count++;
	return 0;
}

/* ---- records --------------------------------------------------------------------------------------- */

static uint32_t hash_copy(unsigned char *to, const char *key, size_t n)
{
	uint32_t h = 5381;

	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)key[i];

		h = (h + (h << 5)) ^ c;
		to[i] = c;
	}
	return h;
}

/* One that is larger than what we gather. */
static int add_large(
	struct rules_make *m, const char *key, size_t key_len, const char *data, size_t data_len)
{
	unsigned char head[8];
	uint32_t h = 5381;

	for (size_t i = 0; i < key_len; i++)
		h = (h + (h << 5)) ^ (unsigned char)key[i];
	pack(head, (uint32_t)key_len);
	pack(head + 4, (uint32_t)data_len);
	if (flush(m) == -1 || remember(m, h) == -1 || fs_write_all(m->fd, head, sizeof head) == -1 ||
		fs_write_all(m->fd, key, key_len) == -1)
		return -1;
	m->written += (off_t)(8 + key_len + data_len);
	return fs_write_all(m->fd, data, data_len);
}

static int add_small(
	struct rules_make *m, const char *key, size_t key_len, const char *data, size_t data_len)
{
	unsigned char *to;

	if (m->room - m->used < 8 + key_len + data_len && flush(m) == -1)
		return -1;
	to = m->out + m->used;
	pack(to, (uint32_t)key_len);
	pack(to + 4, (uint32_t)data_len);
	if (remember(m, hash_copy(to + 8, key, key_len)) == -1)
		return -1;
	if (data_len > 0)
		memcpy(to + 8 + key_len, data, data_len);
	m->used += 8 + key_len + data_len;
	return 0;
}

int rules_make_add(struct rules_make *m, const char *key, size_t key_len, const char *data, size_t data_len)
{
	/* with its two slots, and those of all before it */
	const uint64_t room = UINT32_MAX - (uint64_t)m->pos, slots = 16 * (m->count + 1);
	int result;

	if (slots + 8 > room || key_len > room - slots - 8 || data_len > room - slots - 8 - key_len) {
		errno = EFBIG;
		return -1;
	}
	if (8 + key_len + data_len > m->room)
		result = add_large(m, key, key_len, data, data_len);
	else
		result = add_small(m, key, key_len, data, data_len);
	m->pos += (uint32_t)(8 + key_len + data_len);
	return result;
}

/* ---- tables ---------------------------------------------------------------------------------------- */

static size_t list_count(const struct list *l)
{
	size_t n = 0;

	if (l->last == NULL)
		return 0;
	for (const struct chunk *c = l->first; c != l->last; c = c->next)
		n += CHUNK_ENTRIES;
	return n + (size_t)(l->at - l->last->entry);
}

static void fill_slot(unsigned char *table, size_t slots, const struct entry *e)
{
	size_t i = (e->hash >> 8) % (uint32_t)slots;

	while (unpack(table + 8 * i + 4) != 0)
		if (++i == slots)
			i = 0;
	pack(table + 8 * i, e->hash);
	pack(table + 8 * i + 4, e->pos);
}

/* Every record that was put first is found first. */
static void fill_table(const struct list *l, unsigned char *table, size_t slots)
{
	memset(table, 0, 8 * slots);
	for (const struct chunk *c = l->first; c != NULL; c = c->next) {
		const struct entry *end = c == l->last ? l->at : c->entry + CHUNK_ENTRIES;

		for (const struct entry *e = c->entry; e < end; e++)
			fill_slot(table, slots, e);
	}
}

static int make_room(struct rules_make *m, size_t n)
{
	unsigned char *more;

	if (m->room - m->used >= n)
		return 0;
	if (flush(m) == -1)
		return -1;
	if (m->room >= n)
		return 0;
	more = realloc(m->out, n);
	if (more == NULL)
		return -1;
	m->out = more;
	m->room = n;
	return 0;
}

static int write_tables(struct rules_make *m, unsigned char pointers[RULES_POINTERS])
{
	for (size_t i = 0; i < TABLES; i++) {
		const size_t slots = 2 * list_count(&m->list[i]), size = 8 * slots;

		pack(pointers + 8 * i, m->pos);
		pack(pointers + 8 * i + 4, (uint32_t)slots);
		if (slots == 0)
			continue;
		if (make_room(m, size) == -1)
			return -1;
		fill_table(&m->list[i], m->out + m->used, slots);
		m->used += size;
		m->pos += (uint32_t)size;
	}
	return flush(m);
}

static int write_pointers(int fd, const unsigned char pointers[RULES_POINTERS])
{
	size_t done = 0;

	while (done < RULES_POINTERS) {
		const ssize_t n = pwrite(fd, pointers + done, RULES_POINTERS - done, (off_t)done);

		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int rules_make_finish(struct rules_make *m)
{
	unsigned char pointers[RULES_POINTERS];
	int result = write_tables(m, pointers), saved;

	if (result == 0)
		result = write_pointers(m->fd, pointers);
	saved = errno;
	make_free(m);
	errno = saved;
	return result;
}
