#include "net/rules.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/num.h"
#include "net/addr.h"
#include "net/rules_verify.h"

/* A key whose name is not in its normal form, so that its hash in the tables is not the normal one's. */
struct odd_key {
	unsigned hash; /* of the normal form */
	unsigned pos;
};

/* Room for a key that is in no file, so that rules_trace can show it. */
enum { KEY_SHOWN = 640 };

struct image {
	struct cdb cdb;
	char *key;       /* room for any key of the file, so a longer question matches none */
	size_t key_room; /* with a NUL */
	struct odd_key *odd;
	size_t odd_count;
	size_t odd_room;
	bool v6_net[ADDR_BITS + 1]; /* there is a key of our own with this length */
	bool v6_info;               /* there is one behind "info@" */
};

struct rules {
	const char *path;
	struct stat seen; /* what the path named when it was read */
	int error;        /* why that cannot be used, or 0 */
	bool loaded;      /* image holds it */
	struct image image;
	void (*tried)(void *arg, const char *key, size_t n, const struct rules_verdict *v);
	void *tried_arg;
};

static int fail(int error)
{
	errno = error;
	return -1;
}

/* ---- names in keys -------------------------------------------------------------------------------- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Where the name begins: behind a first "=" or the last "@=". NULL: this key has no name. */
static const char *name_of(const char *key, size_t n)
{
	if (n > 0 && key[0] == '=')
		return key + 1;
	for (size_t i = n; i >= 2; i--)
		if (key[i - 1] == '=' && key[i - 2] == '@')
			return key + i;
	return NULL;
}

/* A name with its last dot, if that is not all there is, cut off. */
static size_t name_len(const char *name, size_t n)
{
	return n > 1 && name[n - 1] == '.' ? n - 1 : n;
}

static void put_name(struct str *key, const char *name, size_t n)
{
	n = name_len(name, n);
	for (size_t i = 0; i < n; i++)
		str_putc(key, lower(name[i]));
}

/* The normal form of a key of the file; false when it is that already. */
static bool normalise(struct str *out, const char *key, size_t n)
{
	const char *name = name_of(key, n);

	if (name == NULL)
		return false;
	str_reset(out);
	str_put(out, key, (size_t)(name - key));
	put_name(out, name, n - (size_t)(name - key));
	return out->len != n || memcmp(out->s, key, n) != 0;
}

/* ---- IPv6 networks in keys ------------------------------------------------------------------------- */

/* The length of "[...]/LENGTH" or "[...]"; -1: this key is none of ours. */
static int net_bits(const char *key, size_t n)
{
	const char *close = memchr(key, ']', n);
	unsigned long bits;

	if (close == NULL)
		return -1;
	n -= (size_t)(close + 1 - key);
	if (n == 0)
		return ADDR_BITS;
	if (close[1] != '/' || num_parse_n(close + 2, n - 1, 0, ADDR_BITS, &bits) != NULL)
		return -1;
	return (int)bits;
}

static void note_net(struct image *m, const char *key, size_t n)
{
	const char *open = memrchr(key, '[', n);
	int bits;

	if (open == NULL)
		return;
	bits = net_bits(open, n - (size_t)(open - key));
	if (bits == -1)
		return;
	if (open == key)
		m->v6_net[bits] = true;
	else if (open[-1] == '@')
		m->v6_info = true;
}

/* ---- reading a file ------------------------------------------------------------------------------- */

static void image_free(struct image *m)
{
	if (m->cdb.cdb_mem != NULL)
		cdb_free(&m->cdb);
	free(m->key);
	free(m->odd);
	memset(m, 0, sizeof *m);
}

static int remember_longest(void *arg, unsigned pos, const unsigned char *key, size_t n)
{
	struct image *m = arg;

	(void)pos;
	(void)key;
	if (n >= m->key_room)
		m->key_room = n + 1;
	return 0;
}

static int remember_odd(struct image *m, unsigned hash, unsigned pos)
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

static int index_keys(struct image *m)
{
	struct str normal;
	unsigned pos;

	m->key = malloc(m->key_room);
	if (m->key == NULL)
		return -1;
	str_init(&normal, m->key, m->key_room);
	cdb_seqinit(&pos, &m->cdb);
	for (;;) {
		const unsigned at = pos;
		const char *key;
		const int more = cdb_seqnext(&pos, &m->cdb);

		if (more <= 0)
			break;
		key = cdb_getkey(&m->cdb);
		if (key == NULL)
			return -1;
		note_net(m, key, cdb_keylen(&m->cdb));
		if (normalise(&normal, key, cdb_keylen(&m->cdb)) &&
			remember_odd(m, cdb_hash(normal.s, (unsigned)normal.len), at) == -1)
			return -1;
	}
	if (m->odd_count > 0)
		qsort(m->odd, m->odd_count, sizeof *m->odd, by_hash_and_place);
	return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Without the time of change: a file that is replaced by name while we read it is still whole. */
static bool same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int image_check(struct image *m, size_t size)
{
	const struct rules_visit visit = { .record = remember_longest, .arg = m };
	const unsigned char *file = cdb_get(&m->cdb, (unsigned)size, 0);

	if (file == NULL)
		return -1;
	m->key_room = KEY_SHOWN;
	if (rules_verify(file, size, &visit) == -1)
		return -1;
	return index_keys(m);
}

static int image_load(struct image *m, int fd, const struct stat *st)
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
		image_free(m);
		errno = saved;
	}
	return result;
}

static void forget(struct rules *r)
{
	if (r->loaded)
		image_free(&r->image);
	r->loaded = false;
}

struct rules *rules_open(const char *path)
{
	struct rules *r = calloc(1, sizeof *r);

	if (r != NULL)
		r->path = path;
	return r;
}

void rules_close(struct rules *r)
{
	if (r == NULL)
		return;
	forget(r);
	free(r);
}

static int reload(struct rules *r)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us */

	r->error = 0;
	forget(r);
	if (fd == -1)
		return -1;
	if (fstat(fd, &r->seen) == -1 || image_load(&r->image, fd, &r->seen) == -1)
		r->error = errno;
	else
		r->loaded = true;
	close(fd);
	return r->error == 0 ? 0 : fail(r->error);
}

int rules_refresh(struct rules *r)
{
	struct stat now;

	if (stat(r->path, &now) == -1) {
		const int saved = errno;

		r->error = 0;
		forget(r);
		return fail(saved);
	}
	if (r->loaded && same_file(&now, &r->seen))
		return 0;
	/* damage is not read again with every client, but what may pass (ENOMEM) is */
	if (r->error == EPROTO && same_file(&now, &r->seen))
		return fail(r->error);
	return reload(r);
}

/* ---- look-up -------------------------------------------------------------------------------------- */

/* The first record of the file with this name in any spelling, if it is before *pos. */
static void find_odd(const struct image *m, const struct str *key, unsigned *pos)
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
		const char *name = name_of(have, n);
		size_t len = name_len(name, n - (size_t)(name - have)) + (size_t)(name - have);
		bool same = len == key->len && memcmp(have, key->s, (size_t)(name - have)) == 0;

		for (size_t i = (size_t)(name - have); same && i < len; i++)
			same = lower(have[i]) == key->s[i];
		if (same) {
			*pos = at;
			return;
		}
	}
}

static void tell(const struct image *m, unsigned pos, struct rules_verdict *v)
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

/* Who asks, where, and the address once more when it is IPv6. */
struct question {
	struct rules *rules;
	struct image *m;
	const char *ip;
	const char *host;
	const char *info;
	const struct addr *v6;
};

/* 1 the key is there, 0 it is not, -1 errno. */
static int probe_image(struct image *m, const struct str *key, struct rules_verdict *v)
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
	if (m->odd_count > 0 && name_of(key->s, key->len) != NULL)
		find_odd(m, key, &pos);
	if (pos == UINT_MAX)
		return 0;
	tell(m, pos, v);
	return 1;
}

static int probe(const struct question *q, const struct str *key, struct rules_verdict *v)
{
	const int found = probe_image(q->m, key, v);

	if (q->rules->tried != NULL && found != -1)
		q->rules->tried(q->rules->tried_arg, key->s, key->len, found == 1 ? v : NULL);
	return found;
}

static void start_key(const struct question *q, const char *info, struct str *key)
{
	str_init(key, q->m->key, q->m->key_room);
	if (info != NULL) {
		str_puts(key, info);
		str_putc(key, '@');
	}
}

/* info@ + text + name, the name in its normal form; NULL is no info, no name. */
static int probe_key(const struct question *q, const char *info, const char *text, const char *name,
	struct rules_verdict *v)
{
	struct str key;

	start_key(q, info, &key);
	str_puts(&key, text);
	if (name != NULL)
		put_name(&key, name, strlen(name));
	return probe(q, &key, v);
}

/* info@ + the network of this length that the client is in, as tcprules writes it. */
static int probe_net(const struct question *q, const char *info, unsigned bits, struct rules_verdict *v)
{
	struct addr net = *q->v6;
	char text[ADDR_TEXT];
	struct str key;

	addr_mask(&net, bits);
	addr_format(&net, text);
	start_key(q, info, &key);
	str_putc(&key, '[');
	str_puts(&key, text);
	str_putc(&key, ']');
	if (bits < ADDR_BITS) {
		str_putc(&key, '/');
		str_putu(&key, bits);
	}
	return probe(q, &key, v);
}

/* The whole address: a foreign compiler may have written its text, tcprules has brackets. */
static int probe_address(const struct question *q, const char *info, struct rules_verdict *v)
{
	int found = probe_key(q, info, q->ip, NULL, v);

	if (found == 0 && q->v6 != NULL && (info != NULL ? q->m->v6_info : q->m->v6_net[ADDR_BITS]))
		found = probe_net(q, info, ADDR_BITS, v);
	return found;
}

static int probe_cut_address(const struct question *q, struct rules_verdict *v)
{
	struct str key;

	for (size_t n = strlen(q->ip); n > 0; n--) {
		int found;

		if (q->ip[n - 1] != '.')
			continue;
		start_key(q, NULL, &key);
		str_put(&key, q->ip, n);
		found = probe(q, &key, v);
		if (found != 0)
			return found;
	}
	return 0;
}

static int probe_v6_nets(const struct question *q, struct rules_verdict *v)
{
	for (unsigned bits = ADDR_BITS; bits-- > 0;) {
		const int found = q->m->v6_net[bits] ? probe_net(q, NULL, bits, v) : 0;

		if (found != 0)
			return found;
	}
	return 0;
}

static int probe_suffixes(const struct question *q, struct rules_verdict *v)
{
	for (const char *dot = strchr(q->host, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
		int found;

		if (dot > q->host && dot[1] == '\0') /* the last dot is no part of a name */
			break;
		found = probe_key(q, NULL, "=", dot, v);
		if (found != 0)
			return found;
	}
	return probe_key(q, NULL, "=", NULL, v);
}

/* The classic order. Each step is one key, or a family of keys from the longest to the shortest. */
static int find(const struct question *q, struct rules_verdict *v)
{
	int found = 0;

	if (q->info != NULL)
		found = probe_address(q, q->info, v);
	if (found == 0 && q->info != NULL && q->host != NULL)
		found = probe_key(q, q->info, "=", q->host, v);
	if (found == 0)
		found = probe_address(q, NULL, v);
	if (found == 0 && q->host != NULL)
		found = probe_key(q, NULL, "=", q->host, v);
	if (found == 0)
		found = q->v6 != NULL ? probe_v6_nets(q, v) : probe_cut_address(q, v);
	if (found == 0 && q->host != NULL)
		found = probe_suffixes(q, v);
	if (found == 0)
		found = probe_key(q, NULL, "", NULL, v);
	return found;
}

/* An address with a colon; fe80::1%eth0 is fe80::1 for rules. */
static bool parse_v6(const char *ip, struct addr *a)
{
	char text[ADDR_TEXT];
	const size_t n = strcspn(ip, "%");

	if (memchr(ip, ':', n) == NULL || n >= sizeof text)
		return false;
	memcpy(text, ip, n);
	text[n] = '\0';
	return addr_parse(text, a) == NULL;
}

int rules_find(struct rules *r, const struct rules_client *who, struct rules_verdict *v)
{
	struct question q = {
		.rules = r, .m = &r->image, .ip = who->ip, .host = who->host, .info = who->info
	};
	char ip[ADDR_TEXT];
	struct addr a;

	memset(v, 0, sizeof *v);
	if (!r->loaded)
		return fail(EINVAL);
	if (parse_v6(who->ip, &a)) {
		addr_format(&a, ip); /* ::ffff:1.2.3.4 is 1.2.3.4 */
		q.ip = ip;
		q.v6 = addr_is_v4(&a) ? NULL : &a;
	}
	return find(&q, v) == -1 ? -1 : 0;
}

void rules_trace(struct rules *r,
	void (*tried)(void *arg, const char *key, size_t n, const struct rules_verdict *v), void *arg)
{
	r->tried = tried;
	r->tried_arg = arg;
}

int rules_each(struct rules *r, int (*each)(void *arg, const struct rules_record *record), void *arg)
{
	unsigned pos;

	if (!r->loaded)
		return fail(EINVAL);
	cdb_seqinit(&pos, &r->image.cdb);
	while (cdb_seqnext(&pos, &r->image.cdb) > 0) {
		const struct rules_record record = { .key = cdb_getkey(&r->image.cdb),
			.key_len = cdb_keylen(&r->image.cdb),
			.data = cdb_getdata(&r->image.cdb),
			.data_len = cdb_datalen(&r->image.cdb) };

		if (record.key == NULL || record.data == NULL)
			return -1;
		if (each(arg, &record) == -1)
			return -1;
	}
	return 0;
}

const char *rules_variable(struct rules_verdict *v, size_t *n)
{
	const char *pair;

	if (v->next == v->end)
		return NULL;
	pair = v->next + 1; /* behind the "+" */
	*n = strlen(pair);  /* every item has its NUL: rules_verify */
	v->next = pair + *n + 1;
	return pair;
}
