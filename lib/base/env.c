#include "base/env.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int env_init(struct env *e, char *const inherited[], size_t more_vars, size_t pool_bytes)
{
	size_t count = 0;

	while (inherited[count] != NULL)
		count++;
	e->slots = count + more_vars;
	e->vector = malloc((e->slots + 1) * sizeof *e->vector);
	e->base = malloc((count + 1) * sizeof *e->base);
	e->pool = malloc(pool_bytes);
	e->size = pool_bytes;
	e->base_count = count;
	if (e->vector == NULL || e->base == NULL || e->pool == NULL) {
		env_free(e);
		errno = ENOMEM;
		return -1;
	}
	memcpy(e->base, inherited, (count + 1) * sizeof *e->base);
	env_rewind(e);
	return 0;
}

void env_free(struct env *e)
{
	free(e->vector);
	free(e->base);
	free(e->pool);
	e->vector = NULL;
	e->base = NULL;
	e->pool = NULL;
}

void env_rewind(struct env *e)
{
	e->used = 0;
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

/* Room for one more variable of n bytes and its NUL, or NULL. */
static char *claim(struct env *e, size_t n)
{
	if (e->count >= e->slots || n >= e->size - e->used) {
		errno = ENOMEM;
		return NULL;
	}
	return e->pool + e->used;
}

static void append(struct env *e, char *pair, size_t n)
{
	pair[n] = '\0';
	e->used += n + 1;
	e->vector[e->count++] = pair;
	e->vector[e->count] = NULL;
}

int env_set_pair(struct env *e, const char *pair, size_t n)
{
	const char *equals = memchr(pair, '=', n);
	char *copy = claim(e, n);

	if (copy == NULL)
		return -1;
	if (equals == NULL) {
		errno = EINVAL;
		return -1;
	}
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

const char *env_get(const struct env *e, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < e->count; i++)
		if (is_named(e->vector[i], name, n))
			return e->vector[i] + n + 1;
	return NULL;
}

const char *env_added(const struct env *e, const char *name)
{
	const char *value = env_get(e, name);

	return value >= e->pool && value < e->pool + e->used ? value : NULL;
}
