/* told.h - what queue programs are told of a session on top of the environment. */
#ifndef SMTPD_TOLD_H
#define SMTPD_TOLD_H

#include <stdbool.h>

enum { TOLD_MAX = 8, TOLD_BYTES = 2048 };

struct told {
	char *pairs[TOLD_MAX + 1]; /* "NAME=value", NULL-ended: struct door, more */
	char bytes[TOLD_BYTES];
};

/* The name is one of resident_of_connection (net/resident.h), and not told yet. False: no room. */
bool told_add(struct told *t, const char *name, const char *value) __attribute__((warn_unused_result));
void told_clear(struct told *t);

#endif
