#include "queue/route.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

/* Dates of files are no finer than a tick of the kernel, a hundredth of a second. */
enum { SETTLE_MS = 100 };

static const char *const names[ROUTE_FILES] = { "me", "locals", "virtualdomains", "percenthack",
	"envnoathost" };

enum { ME, LOCALS, VIRTUALDOMAINS, PERCENTHACK, ENVNOATHOST };

/* ---- has anything changed? ------------------------------------------------------------------------------ */

/* A file that is not there has a state of its own: no links. */
static int look(int control, const char *name, struct stat *st)
{
	if (fstatat(control, name, st, 0) == 0)
		return 0;
	memset(st, 0, sizeof *st);
	return errno == ENOENT ? 0 : -1;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_nlink == b->st_nlink && a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_size == b->st_size && same_time(&a->st_mtim, &b->st_mtim) &&
	       same_time(&a->st_ctim, &b->st_ctim);
}

/* Changed so lately that what was read may be older. A date of the future tells nothing: it settles never. */
static bool is_settled(const struct stat *st, const struct timespec *now)
{
	const int64_t age_ms = ((int64_t)now->tv_sec - st->st_ctim.tv_sec) * 1000 +
			       ((int64_t)now->tv_nsec - st->st_ctim.tv_nsec) / 1000000;

	return age_ms > SETTLE_MS;
}

static bool is_fresh(const struct router *r)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	for (int i = 0; i < ROUTE_FILES; i++)
		if (look(r->control, names[i], &st) == -1 || !is_same(&st, &r->now.state[i]) ||
			!is_settled(&st, &now))
			return false;
	return true;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static void free_texts(struct route_texts *t)
{
	route_keys_free(&t->rules.locals);
	route_keys_free(&t->rules.virtualdomains);
	route_keys_free(&t->rules.percenthack);
	control_free(t->locals.items);
	control_free(t->virtualdomains.items);
	control_free(t->percenthack.items);
	control_free(t->envnoathost);
	control_free(t->me);
}

static bool read_one(int control, int file, struct route_texts *t)
{
	switch (file) {
	case ME:
		return control_line(control, names[ME], &t->me) != CONTROL_ERROR;
	case LOCALS:
		return control_list(control, names[LOCALS], &t->locals) != CONTROL_ERROR;
	case VIRTUALDOMAINS:
		return control_list(control, names[VIRTUALDOMAINS], &t->virtualdomains) != CONTROL_ERROR;
	case PERCENTHACK:
		return control_list(control, names[PERCENTHACK], &t->percenthack) != CONTROL_ERROR;
	default:
		return control_line(control, names[ENVNOATHOST], &t->envnoathost) != CONTROL_ERROR;
	}
}

/* NULL, or the name of a file; errno. Each is looked at before it is read, so a later change is one. */
static const char *read_all(int control, struct route_texts *t)
{
	for (int i = 0; i < ROUTE_FILES; i++)
		if (look(control, names[i], &t->state[i]) == -1 || !read_one(control, i, t))
			return names[i];
	return NULL;
}

static struct control_list locals_of(const struct route_texts *t)
{
	const char *me = t->me;

	if (t->locals.items != NULL)
		return t->locals;
	return (struct control_list){ .items = (char *)me, .bytes = strlen(me) + 1 };
}

/* NULL, or the name of a file; errno. */
static const char *make_rules(struct route_texts *t)
{
	struct route_rules *r = &t->rules;
	struct control_list locals;

	if (t->locals.items == NULL && t->me == NULL) {
		errno = ENOENT;
		return names[LOCALS];
	}
	locals = locals_of(t);
	r->envnoathost = t->envnoathost != NULL ? t->envnoathost : t->me != NULL ? t->me : "envnoathost";
	if (route_keys_init(&r->locals, &locals, false) == -1)
		return names[LOCALS];
	if (route_keys_init(&r->virtualdomains, &t->virtualdomains, true) == -1)
		return names[VIRTUALDOMAINS];
	return route_keys_init(&r->percenthack, &t->percenthack, false) == -1 ? names[PERCENTHACK] : NULL;
}

static int read_again(struct router *r, struct route_texts *t)
{
	int error;

	memset(t, 0, sizeof *t);
	r->name = read_all(r->control, t);
	if (r->name == NULL)
		r->name = make_rules(t);
	if (r->name == NULL)
		return 0;
	error = errno;
	free_texts(t);
	errno = error;
	return -1;
}

int route_open(struct router *r, int control)
{
	r->control = control;
	return read_again(r, &r->now);
}

int route_refresh(struct router *r)
{
	struct route_texts next;

	if (is_fresh(r))
		return 0;
	if (read_again(r, &next) == -1)
		return -1;
	free_texts(&r->now);
	r->now = next;
	return 0;
}

void route_close(struct router *r)
{
	free_texts(&r->now);
}
