/* tap.h - what a unit test says: TAP, one line a check, the plan at the end (testanything.org). */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count;
static int tap_failed;

/* Says "ok N - NAME"; on failure the name is followed by whatever the caller wants to explain. */
static inline bool tap_ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tap_count, name);
	tap_failed += !good;
	return good;
}

static inline bool tap_same(const char *got, const char *want, const char *name)
{
	bool good = strcmp(got, want) == 0;

	tap_ok(good, name);
	if (!good)
		printf("#   got: %s\n#  want: %s\n", got, want);
	return good;
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed == 0 ? 0 : 1;
}

#endif
