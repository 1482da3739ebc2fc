#include "net/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/rules_image.h"
#include "net/rules_key.h"

struct rules {
	const char *path;
	struct stat seen; /* what the path named when it was read */
	int error;        /* why that cannot be used, or 0 */
	bool loaded;      /* image holds it */
	struct rules_image image;
	void (*tried)(void *arg, const char *key, size_t n, const struct rules_verdict *v);
	void *tried_arg;
};

static int fail(int error)
{
	errno = error;
	return -1;
}

/* ---- the file ------------------------------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void forget(struct rules *r)
{
	if (r->loaded)
		rules_image_free(&r->image);
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
	if (fstat(fd, &r->seen) == -1 || rules_image_load(&r->image, fd, &r->seen) == -1)
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

/* Who asks, where, and the address once more when it is IPv6. */
struct question {
	struct rules *rules;
	struct rules_image *m;
	const char *ip;
	const char *host;
	const char *info;
	const struct addr *v6;
};

static int probe(const struct question *q, const struct str *key, struct rules_verdict *v)
{
	const int found = rules_image_find(q->m, key, v);

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
		rules_key_put_name(&key, name, strlen(name));
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
