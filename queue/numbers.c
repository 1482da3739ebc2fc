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

struct list {
	uint64_t *numbers;
	size_t count, cap;
};

static int add(struct list *l, uint64_t number)
{
	if (l->count == l->cap) {
		const size_t cap = l->cap == 0 ? 64 : 2 * l->cap;
		uint64_t *more = realloc(l->numbers, cap * sizeof *more);

		if (more == NULL)
			return -1;
		l->numbers = more;
		l->cap = cap;
	}
	l->numbers[l->count++] = number;
	return 0;
}

static int read_names(DIR *d, struct list *l)
{
	const struct dirent *e;
	unsigned long number;

	for (;;) {
		errno = 0;
		e = readdir(d);
		if (e == NULL)
			return errno == 0 ? 0 : -1;
		if (e->d_name[0] != '0' && num_parse(e->d_name, 1, UINT64_MAX, &number) == NULL &&
			add(l, number) == -1)
			return -1;
	}
}

long numbers_list(int dir, const char *folder, uint64_t **numbers)
{
	const int fd = openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct list l = { .numbers = NULL };
	int result;

	*numbers = NULL;
	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	result = read_names(d, &l);
	closedir(d);
	if (result == -1) {
		free(l.numbers);
		return -1;
	}
	if (l.count > 0)
		qsort(l.numbers, l.count, sizeof *l.numbers, by_size);
	*numbers = l.numbers;
	return (long)l.count;
}
