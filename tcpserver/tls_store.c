#include "tcpserver/tls_store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/str.h"
#include "tcpserver/tls_stamp.h"
#include "tcpserver/tls_tickets.h"

enum { LOOK_MS = 1000, FILE_BYTES = 1024 * 1024 };

static const char chain_file[] = "fullchain.pem", key_file[] = "privkey.pem";

struct place {
	char folder[NAME_MAX + 1]; /* in DIR; ".": DIR itself */
	char name[NAME_MAX + 1];
	struct tls_stamp chain, key;
	struct tls_pair *pair; /* NULL: none that can be used yet */
	bool found;
};

struct tls_store {
	const char *dir;
	struct tls *tls;
	struct tls_stamp stamp;
	struct place *places;
	size_t count;
	int64_t looked_ms;
	unsigned changes;
	struct tls_tickets tickets;
};

/* ---- one pair ------------------------------------------------------------------------------------------ */

static bool path_of(const struct tls_store *s, const char *folder, const char *file, char path[PATH_MAX])
{
	struct str to;

	str_init(&to, path, PATH_MAX);
	str_puts(&to, s->dir);
	if (strcmp(folder, ".") != 0) {
		str_putc(&to, '/');
		str_puts(&to, folder);
	}
	str_putc(&to, '/');
	str_puts(&to, file);
	return !to.full;
}

static const char *kept(const struct place *p)
{
	return p->pair == NULL ? "" : "; the one before it stays in use";
}

static char *read_whole(const struct place *p, const char *path, size_t *n)
{
	char *text;
	const ssize_t got = fs_read_file(AT_FDCWD, path, FILE_BYTES, &text);

	if (got == -1)
		warn("unable to read %s: %s%s", path, errtext(errno), kept(p));
	*n = got == -1 ? 0 : (size_t)got;
	return text;
}

static void wipe(char *text, size_t n)
{
	if (text != NULL)
		explicit_bzero(text, n);
	free(text);
}

static struct tls_pair *read_pair(const struct place *p, const char *chain_path, const char *key_path)
{
	size_t chain_bytes, key_bytes;
	char *chain = read_whole(p, chain_path, &chain_bytes);
	char *key = chain == NULL ? NULL : read_whole(p, key_path, &key_bytes);
	struct tls_pair *pair = NULL;
	const char *wrong;
	bool of_key;

	if (key != NULL) {
		pair = tls_pair_read(chain, chain_bytes, key, key_bytes, &wrong, &of_key);
		if (pair == NULL)
			warn("%s %s%s", of_key ? key_path : chain_path, wrong, kept(p));
		wipe(key, key_bytes);
	}
	free(chain);
	return pair;
}

static void note(const struct tls_pair *pair, const char *chain_path, const char *key_path)
{
	if (tls_stamp_is_public(key_path))
		warn("%s can be read by everybody: chmod o-r, and get a new key", key_path);
	if (tls_pair_is_over(pair))
		warn("%s has expired: renew it", chain_path);
}

/* True: there is another pair now. */
static bool look_at(struct tls_store *s, struct place *p)
{
	char chain_path[PATH_MAX], key_path[PATH_MAX];
	struct tls_stamp chain, key;
	struct tls_pair *pair;

	if (!path_of(s, p->folder, chain_file, chain_path) || !path_of(s, p->folder, key_file, key_path))
		return false;
	tls_stamp(chain_path, &chain);
	tls_stamp(key_path, &key);
	if (tls_stamp_same(&chain, &p->chain) && tls_stamp_same(&key, &p->key))
		return false;
	p->chain = chain;
	p->key = key;
	pair = read_pair(p, chain_path, key_path);
	if (pair == NULL)
		return false;
	note(pair, chain_path, key_path);
	tls_pair_free(p->pair);
	p->pair = pair;
	return true;
}

/* ---- the folder ---------------------------------------------------------------------------------------- */

/* Small letters, without the "+" and what is behind it; "*." is "_.". folder is no longer than NAME_MAX. */
static void name_of(const char *folder, char *name)
{
	const bool here = strcmp(folder, ".") == 0;
	const char *from = here ? "default" : folder;
	const size_t n = strcspn(from, "+");

	for (size_t i = 0; i < n; i++)
		name[i] = (char)tolower((unsigned char)from[i]);
	name[n] = '\0';
	if (strncmp(name, "*.", 2) == 0)
		name[0] = '_';
}

static struct place *find(const struct tls_store *s, const char *folder)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->places[i].folder, folder) == 0)
			return &s->places[i];
	return NULL;
}

static void add(struct tls_store *s, const char *folder)
{
	struct place *more = realloc(s->places, (s->count + 1) * sizeof *more), *p;

	if (more == NULL)
		return;
	s->places = more;
	p = &more[s->count++];
	*p = (struct place){ .found = true };
	memcpy(p->folder, folder, strlen(folder) + 1);
	name_of(folder, p->name);
}

static void found(struct tls_store *s, const char *folder)
{
	char path[PATH_MAX];
	struct place *p = find(s, folder);
	struct stat st;

	if (strlen(folder) > NAME_MAX || !path_of(s, folder, chain_file, path) || stat(path, &st) == -1)
		return;
	if (p != NULL)
		p->found = true;
	else
		add(s, folder);
}

/* True: some are gone. */
static bool drop_missing(struct tls_store *s)
{
	size_t left = 0;
	const size_t before = s->count;

	for (size_t i = 0; i < before; i++)
		if (s->places[i].found)
			s->places[left++] = s->places[i];
		else
			tls_pair_free(s->places[i].pair);
	s->count = left;
	return left != before;
}

static bool list(struct tls_store *s)
{
	struct tls_stamp now;
	const struct dirent *entry;
	DIR *dir;

	tls_stamp(s->dir, &now);
	if (tls_stamp_same(&now, &s->stamp))
		return false;
	dir = opendir(s->dir);
	if (dir == NULL) {
		if (!tls_stamp_same(&now, &s->stamp))
			warn("unable to read %s: %s", s->dir, errtext(errno));
		s->stamp = now;
		return false;
	}
	s->stamp = now;
	for (size_t i = 0; i < s->count; i++)
		s->places[i].found = false;
	found(s, ".");
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			found(s, entry->d_name);
	closedir(dir);
	return drop_missing(s);
}

/* ---- names --------------------------------------------------------------------------------------------- */

static bool is_default(const struct place *p)
{
	return strcmp(p->name, "default") == 0;
}

static int compare(const void *a, const void *b)
{
	const struct place *one = a, *other = b;
	int difference = is_default(other) - is_default(one);

	if (difference == 0)
		difference = strcmp(one->name, other->name);
	return difference != 0 ? difference : strcmp(one->folder, other->folder);
}

static void publish(struct tls_store *s)
{
	struct tls_name *names = calloc(s->count + 1, sizeof *names);
	size_t n = 0;

	s->changes++;
	qsort(s->places, s->count, sizeof *s->places, compare);
	for (size_t i = 0; names != NULL && i < s->count; i++)
		if (s->places[i].pair != NULL)
			names[n++] = (struct tls_name){ s->places[i].name, s->places[i].pair };
	if (n == 0 || tls_names(s->tls, names, n) == -1)
		warn("%s: no certificate that can be used; those before stay in use", s->dir);
	free(names);
}

static void look(struct tls_store *s)
{
	bool changed = list(s);

	for (size_t i = 0; i < s->count; i++)
		changed |= look_at(s, &s->places[i]);
	if (changed)
		publish(s);
}

struct tls *tls_store_now(struct tls_store *s)
{
	const int64_t now = clock_ms();

	if (s->count <= STORE_FEW || now - s->looked_ms >= LOOK_MS) {
		s->looked_ms = now;
		look(s);
	}
	if (tls_tickets_look(&s->tickets)) {
		s->changes++;
		tls_tickets(s->tls, s->tickets.key, s->tickets.count, TICKETS_LIFE_S);
	}
	return s->tls;
}

unsigned tls_store_changes(const struct tls_store *s)
{
	return s->changes;
}

static bool has_pair(const struct tls_store *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->places[i].pair != NULL)
			return true;
	return false;
}

struct tls_store *tls_store_open(const char *dir, const struct tls_rules *rules)
{
	static struct tls_store store; /* there is one, for as long as the process lives */
	struct tls_store *s = &store;
	struct stat st;

	s->dir = dir;
	s->tls = tls_open(rules);
	if (s->tls == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	if (stat(dir, &st) == -1)
		return NULL;
	tls_tickets_open(&s->tickets, dir);
	look(s);
	errno = ENOKEY;
	return has_pair(s) ? s : NULL;
}
