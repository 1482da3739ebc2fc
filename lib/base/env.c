#include "base/env.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 4096, SLOTS = 16 };

struct env_text {
	struct env_text *before;
	size_t used;
	size_t size;
	char bytes[];
};

static int add_text(struct env *e, size_t size)
{
	struct env_text *t = malloc(sizeof *t + size);

	if (t == NULL)
		return -1;
	*t = (struct env_text){ .before = e->texts, .size = size };
	e->texts = t;
	return 0;
}

int env_init(struct env *e, char *const inherited[])
{
	size_t count = 0;

	while (inherited[count] != NULL)
		count++;
	*e = (struct env){ .slots = count + SLOTS, .base_count = count };
	e->vector = malloc((e->slots + 1) * sizeof *e->vector);
	e->base = malloc((count + 1) * sizeof *e->base);
	if (e->vector == NULL || e->base == NULL || add_text(e, TEXT_BYTES) == -1) {
		env_free(e);
		errno = ENOMEM;
		return -1;
	}
	memcpy(e->base, inherited, (count + 1) * sizeof *e->base);
	env_rewind(e);
	return 0;
}

/* All but the first. */
static void free_texts(struct env *e)
{
	while (e->texts->before != NULL) {
		struct env_text *newest = e->texts;

		e->texts = newest->before;
		free(newest);
	}
}

void env_free(struct env *e)
{
	if (e->texts != NULL)
		free_texts(e);
	free(e->texts);
	free(e->vector);
	free(e->base);
	*e = (struct env){ .vector = NULL };
}

void env_rewind(struct env *e)
{
	free_texts(e);
	e->texts->used = 0;
	e->count = e->base_count;
	memcpy(e->vector, e->base, (e->count + 1) * sizeof *e->vector);
}

static bool is_named(const char *pair, const char *name, size_t n)
{
	return *pair == *name && strncmp(pair, name, n) == 0 && pair[n] == '=';
}

static void unset_n(struct env *e, const char *name, size_t n)
{
	size_t i = 0;

	while (i < e->count)
		if (is_named(e->vector[i], name, n)) {
			e->vector[i] = e->vector[--e->count];
			e->vector[e->count] = NULL;
		} else {
			i++;
		}
}

void env_unset(struct env *e, const char *name)
{
	unset_n(e, name, strlen(name));
}

static int add_slots(struct env *e)
{
	const size_t slots = 2 * e->slots;
	char **more = realloc(e->vector, (slots + 1) * sizeof *more);

	if (more == NULL)
		return -1;
	e->vector = more;
	e->slots = slots;
	return 0;
}

/* Room for one more variable of n bytes and its NUL, or NULL. */
static char *claim(struct env *e, size_t n)
{
	if (e->count == e->slots && add_slots(e) == -1)
		return NULL;
	if (n >= e->texts->size - e->texts->used && add_text(e, n < TEXT_BYTES ? TEXT_BYTES : n + 1) == -1)
		return NULL;
	return e->texts->bytes + e->texts->used;
}

static void append(struct env *e, char *pair, size_t n)
{
	pair[n] = '\0';
	e->texts->used += n + 1;
	e->vector[e->count++] = pair;
	e->vector[e->count] = NULL;
}

int env_set_pair(struct env *e, const char *pair, size_t n)
{
	const char *equals = memchr(pair, '=', n);
	char *copy;

	if (equals == NULL) {
		errno = EINVAL;
		return -1;
	}
	copy = claim(e, n);
	if (copy == NULL)
		return -1;
	unset_n(e, pair, (size_t)(equals - pair));
	memcpy(copy, pair, n);
	append(e, copy, n);
	return 0;
}

int env_set(struct env *e, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);
	char *copy = claim(e, name_len + 1 + value_len);

	if (copy == NULL)
		return -1;
	unset_n(e, name, name_len);
	memcpy(copy, name, name_len);
	copy[name_len] = '=';
	memcpy(copy + name_len + 1, value, value_len);
	append(e, copy, name_len + 1 + value_len);
	return 0;
}

static const char *find(const struct env *e, const char *name, size_t n)
{
	for (size_t i = 0; i < e->count; i++)
		if (is_named(e->vector[i], name, n))
			return e->vector[i];
	return NULL;
}

const char *env_get(const struct env *e, const char *name)
{
	const size_t n = strlen(name);
	const char *pair = find(e, name, n);

	return pair == NULL ? NULL : pair + n + 1;
}

const char *env_added(const struct env *e, const char *name)
{
	const size_t n = strlen(name);
	const char *pair = find(e, name, n);

	for (size_t i = 0; pair != NULL && i < e->base_count; i++)
		if (e->base[i] == pair)
			return NULL;
	return pair == NULL ? NULL : pair + n + 1;
}
