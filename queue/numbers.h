/* queue/numbers.h - folders whose files are called by numbers, in decimal.
 *
 * Errors  -1 with errno. */
#ifndef QUEUE_NUMBERS_H
#define QUEUE_NUMBERS_H

#include <stdint.h>

enum { NUMBERS_NAME = 24 };

void numbers_name(char name[NUMBERS_NAME], uint64_t number);

/* Those that are in this folder of dir, in order: free() them. What is called otherwise is passed over. Count, or -1. */
long numbers_list(int dir, const char *folder, uint64_t **numbers) __attribute__((warn_unused_result));

#endif
