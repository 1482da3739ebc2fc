#include "smtpd/grey_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER = 512, BUCKET = GREY_WAYS * sizeof(struct grey_entry) };

struct header {
	char magic[16];
	uint8_t key[SIPHASH_KEY];
};

#define WHOLE (HEADER + (off_t)GREY_BUCKETS * BUCKET)

static const char magic[16] = "portero-grey 1\n";

/* ---- the file ------------------------------------------------------------------------------------------ */

static int lock(const struct grey_table *t, int how)
{
	int got;

	do
		got = flock(t->fd, how);
	while (got == -1 && errno == EINTR);
	return got;
}

/* Its size first and its header last: a file that is half made has no header, and is made again. */
static int make(const struct grey_table *t)
{
	struct header h;

	memcpy(h.magic, magic, sizeof magic);
	if (getrandom(h.key, sizeof h.key, 0) != sizeof h.key)
		return -1;
	if (ftruncate(t->fd, WHOLE) == -1)
		return -1;
	return pwrite(t->fd, &h, sizeof h, 0) == sizeof h ? 0 : -1;
}

static bool is_unmade(const struct header *h, off_t size)
{
	static const struct header none;

	return size == 0 || (size == WHOLE && memcmp(h, &none, sizeof none) == 0);
}

static int read_header(struct grey_table *t)
{
	struct header h = { .key = { 0 } };
	struct stat st;

	if (fstat(t->fd, &st) == -1 || pread(t->fd, &h, sizeof h, 0) == -1)
		return -1;
	if (is_unmade(&h, st.st_size)) {
		if (make(t) == -1)
			return -1;
		return read_header(t);
	}
	if (memcmp(h.magic, magic, sizeof magic) != 0 || st.st_size != WHOLE) {
		errno = EPROTO;
		return -1;
	}
	memcpy(t->key, h.key, sizeof h.key);
	return 0;
}

int grey_table_open(struct grey_table *t, const char *path)
{
	int error;

	t->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (t->fd == -1)
		return -1;
	if (lock(t, LOCK_EX) == 0 && read_header(t) == 0)
		return lock(t, LOCK_UN);
	error = errno;
	close(t->fd);
	errno = error;
	return -1;
}

/* The one of this name, else a free one, else the one that was used longest ago. */
static struct grey_entry *find(struct grey_entry *bucket, uint64_t name)
{
	struct grey_entry *best = &bucket[0];

	for (size_t i = 0; i < GREY_WAYS; i++) {
		struct grey_entry *e = &bucket[i];

		if (e->name == name)
			return e;
		if (best->name != 0 && (e->name == 0 || e->last_s < best->last_s))
			best = e;
	}
	*best = (struct grey_entry){ .name = name };
	return best;
}

static int change_entry(
	struct grey_table *t, uint64_t name, void (*change)(struct grey_entry *e, void *arg), void *arg)
{
	const off_t at = HEADER + (off_t)(name % GREY_BUCKETS) * BUCKET;
	struct grey_entry bucket[GREY_WAYS], *e;
	const ssize_t got = pread(t->fd, bucket, sizeof bucket, at);

	if (got != sizeof bucket) {
		errno = got == -1 ? errno : EPROTO;
		return -1;
	}
	e = find(bucket, name);
	change(e, arg);
	e->name = name;
	return pwrite(t->fd, e, sizeof *e, at + (e - bucket) * (off_t)sizeof *e) == sizeof *e ? 0 : -1;
}

int grey_table_visit(struct grey_table *t, const void *name, size_t n,
	void (*change)(struct grey_entry *e, void *arg), void *arg)
{
	/* senders choose the names, and may not choose where they collide */
	const uint64_t h = siphash(t->key, name, n);
	int result, error;

	if (lock(t, LOCK_EX) == -1)
		return -1;
	result = change_entry(t, h != 0 ? h : 1, change, arg);
	error = errno;
	(void)lock(t, LOCK_UN);
	errno = error;
	return result;
}
