/* queue/numbers.h - folders whose files are called by numbers, in decimal.
 *
 * Errors  -1 with errno. */
#ifndef QUEUE_NUMBERS_H
#define QUEUE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

enum { NUMBERS_NAME = 24 };

/* Begins as { 0 }. */
struct numbers {
	uint64_t *at; /* free() it */
	size_t count, cap;
};

int numbers_add(struct numbers *n, uint64_t number) __attribute__((warn_unused_result)); /* -1: ENOMEM */

void numbers_name(char name[NUMBERS_NAME], uint64_t number);

/* Those that are in this folder of dir, in order. What is called otherwise is passed over. */
int numbers_list(int dir, const char *folder, struct numbers *n) __attribute__((warn_unused_result));

#endif
