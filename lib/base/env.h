/* base/env.h - the environment of a child, built without touching our own.
 *
 * Shape   a NULL-ended vector for execve(2). Text put in by env_set lives in the struct's own memory until
 *         env_rewind; inherited text is only pointed at. The vector may move when a variable is added.
 * Cost    env_set is linear in the number of variables (an environment is short). Memory grows with what is
 *         added, and all but the first 4 KiB of it goes at env_rewind.
 * Errors  -1 with ENOMEM, or EINVAL for a pair without "="; the environment is unchanged then. */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <stddef.h>

struct env_text; /* a piece of memory for texts */

struct env {
	char **vector; /* for execve */
	size_t count;
	size_t slots;           /* without the final NULL */
	struct env_text *texts; /* the newest first */
	size_t base_count;      /* what env_rewind goes back to */
	char **base;
};

int env_init(struct env *e, char *const inherited[]) __attribute__((warn_unused_result));
void env_free(struct env *e);
void env_rewind(struct env *e); /* back to what was inherited */

int env_set(struct env *e, const char *name, const char *value) __attribute__((warn_unused_result));
/* The same from one text "NAME=value" of n bytes without a NUL. */
int env_set_pair(struct env *e, const char *pair, size_t n) __attribute__((warn_unused_result));
void env_unset(struct env *e, const char *name);
const char *env_get(const struct env *e, const char *name);   /* NULL when unset */
const char *env_added(const struct env *e, const char *name); /* NULL unless set since env_rewind */

#endif
