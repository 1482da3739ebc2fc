#include "queue/numbers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/num.h"

void numbers_name(char name[NUMBERS_NAME], uint64_t number)
{
	snprintf(name, NUMBERS_NAME, "%llu", (unsigned long long)number);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int numbers_add(struct numbers *n, uint64_t number)
{
	if (n->count == n->cap) {
		const size_t cap = n->cap == 0 ? 64 : 2 * n->cap;
		uint64_t *more = realloc(n->at, cap * sizeof *more);

		if (more == NULL)
			return -1;
		n->at = more;
		n->cap = cap;
	}
	n->at[n->count++] = number;
	return 0;
}

static int read_names(DIR *d, struct numbers *n)
{
	const struct dirent *e;
	unsigned long number;

	for (;;) {
		errno = 0;
		e = readdir(d);
		if (e == NULL)
			return errno == 0 ? 0 : -1;
		if (e->d_name[0] != '0' && num_parse(e->d_name, 1, UINT64_MAX, &number) == NULL &&
			numbers_add(n, number) == -1)
			return -1;
	}
}

int numbers_list(int dir, const char *folder, struct numbers *n)
{
	const int fd = openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	int result;

	*n = (struct numbers){ .count = 0 };
	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	result = read_names(d, n);
	closedir(d);
	if (n->count > 0)
		qsort(n->at, n->count, sizeof *n->at, by_size);
	return result;
}
