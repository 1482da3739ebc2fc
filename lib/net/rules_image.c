#include "net/rules_image.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "net/rules_key.h"
#include "net/rules_verify.h"

/* Room for a key that is in no file, so that rules_trace can show it. */
enum { KEY_SHOWN = 640 };

static int fail(int error)
{
	errno = error;
	return -1;
}

static void note_net(struct rules_image *m, const char *key, size_t n)
{
	const char *open = memrchr(key, '[', n);
	int bits;

	if (open == NULL)
		return;
	bits = rules_key_bits(open, n - (size_t)(open - key));
	if (bits == -1)
		return;
	if (open == key)
		m->v6_net[bits] = true;
	else if (open[-1] == '@')
		m->v6_info = true;
}

void rules_image_free(struct rules_image *m)
{
	if (m->cdb.cdb_mem != NULL)
		cdb_free(&m->cdb);
	free(m->key);
	free(m->odd);
	memset(m, 0, sizeof *m);
}

static int remember_odd(struct rules_image *m, unsigned hash, unsigned pos)
{
	if (m->odd_count == m->odd_room) {
		const size_t room = m->odd_room == 0 ? 16 : m->odd_room * 2;
		struct odd_key *more = realloc(m->odd, room * sizeof *more);

		if (more == NULL)
			return -1;
		m->odd = more;
		m->odd_room = room;
	}
	m->odd[m->odd_count].hash = hash;
	m->odd[m->odd_count].pos = pos;
	m->odd_count++;
	return 0;
}

static int by_hash_and_place(const void *a, const void *b)
{
	const struct odd_key *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->pos < y->pos ? -1 : x->pos > y->pos;
}

static int make_room(struct rules_image *m, size_t n)
{
	char *more;

	if (n <= m->key_room)
		return 0;
	more = realloc(m->key, n);
	if (more == NULL)
		return -1;
	m->key = more;
	m->key_room = n;
	return 0;
}

static int index_key(void *arg, unsigned pos, const unsigned char *text, size_t n)
{
	struct rules_image *m = arg;
	const char *key = (const char *)text;
	struct str normal;

	if (make_room(m, n + 1) == -1)
		return -1;
	str_init(&normal, m->key, m->key_room);
	note_net(m, key, n);
	if (!rules_key_normalise(&normal, key, n))
		return 0;
	return remember_odd(m, cdb_hash(normal.s, (unsigned)normal.len), pos);
}

/* Without the time of change: a file that is replaced by name while we read it is still whole. */
static bool same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int image_check(struct rules_image *m, size_t size)
{
	const struct rules_visit visit = { .record = index_key, .arg = m };
	const unsigned char *file = cdb_get(&m->cdb, (unsigned)size, 0);

	if (file == NULL || make_room(m, KEY_SHOWN) == -1 || rules_verify(file, size, &visit) == -1)
		return -1;
	if (m->odd_count > 0)
		qsort(m->odd, m->odd_count, sizeof *m->odd, by_hash_and_place);
	return 0;
}

int rules_image_load(struct rules_image *m, int fd, const struct stat *st)
{
	struct stat after;
	int copy, result, saved;

	if (!S_ISREG(st->st_mode))
		return fail(S_ISDIR(st->st_mode) ? EISDIR : EINVAL);
	if (st->st_size == 0)
		return fail(EINVAL); /* as ucspi-tcp says it: "> rules.cdb" is an accident of its own */
	if (st->st_size > RULES_FILE_MAX)
		return fail(EFBIG);
	copy = fs_sealed_copy(fd, (size_t)st->st_size);
	if (copy == -1)
		return -1;
	memset(m, 0, sizeof *m);
	result = cdb_init(&m->cdb, copy);
	saved = errno;
	close(copy); /* the mapping stays */
	if (result != 0)
		return fail(saved);
	result = image_check(m, (size_t)st->st_size);
	if (result == 0 && (fstat(fd, &after) == -1 || !same_content(st, &after)))
		result = fail(EAGAIN);
	if (result == -1) {
		saved = errno;
		rules_image_free(m);
		errno = saved;
	}
	return result;
}

/* The first record of the file with this name in any spelling, if it is before *pos. */
static void find_odd(const struct rules_image *m, const struct str *key, unsigned *pos)
{
	const unsigned hash = cdb_hash(key->s, (unsigned)key->len);
	size_t low = 0, high = m->odd_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (m->odd[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < m->odd_count && m->odd[low].hash == hash && m->odd[low].pos < *pos; low++) {
		const unsigned at = m->odd[low].pos;
		const unsigned n = cdb_unpack(cdb_get(&m->cdb, 8, at));
		const char *have = cdb_get(&m->cdb, n, at + 8);
		const char *name = rules_key_name(have, n);
		size_t len = rules_key_name_len(name, n - (size_t)(name - have)) + (size_t)(name - have);
		bool same = len == key->len && memcmp(have, key->s, (size_t)(name - have)) == 0;

		for (size_t i = (size_t)(name - have); same && i < len; i++)
			same = rules_key_lower(have[i]) == key->s[i];
		if (same) {
			*pos = at;
			return;
		}
	}
}

static void tell(const struct rules_image *m, unsigned pos, struct rules_verdict *v)
{
	const unsigned char *head = cdb_get(&m->cdb, 8, pos);
	const unsigned key_len = cdb_unpack(head), data_len = cdb_unpack(head + 4);

	v->found = true;
	v->key = (const char *)head + 8;
	v->key_len = key_len;
	v->next = v->key + key_len;
	v->end = v->next + data_len;
	v->deny = data_len > 0 && *v->next == 'D';
	if (v->deny)
		v->next += 2;
}

int rules_image_find(struct rules_image *m, const struct str *key, struct rules_verdict *v)
{
	unsigned pos = UINT_MAX;
	int found;

	if (key->full) /* longer than every key of the file */
		return 0;
	found = cdb_find(&m->cdb, key->s, (unsigned)key->len);
	if (found < 0)
		return -1;
	if (found > 0)
		pos = cdb_keypos(&m->cdb) - 8;
	if (m->odd_count > 0 && rules_key_name(key->s, key->len) != NULL)
		find_odd(m, key, &pos);
	if (pos == UINT_MAX)
		return 0;
	tell(m, pos, v);
	return 1;
}
