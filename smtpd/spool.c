#include "smtpd/spool.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int spool_open(struct spool *s, const char *name, size_t max)
{
	*s = (struct spool){ .fd = memfd_create(name, MFD_CLOEXEC), .max = max };
	return s->fd == -1 ? -1 : 0;
}

int spool_reset(struct spool *s)
{
	s->full = false;
	if (s->size == 0)
		return 0;
	s->size = 0;
	return ftruncate(s->fd, 0);
}

int spool_put(struct spool *s, const void *p, size_t n)
{
	const char *at = p;

	if (s->full || n > s->max - s->size) {
		s->full = true;
		return 0;
	}
	while (n > 0) {
		const ssize_t w = pwrite(s->fd, at, n, (off_t)s->size);

		if (w == -1 && errno == EINTR)
			continue;
		if (w == -1)
			return -1;
		s->size += (size_t)w;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

ssize_t spool_read(const struct spool *s, size_t at, void *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		const ssize_t r = pread(s->fd, (char *)p + got, n - got, (off_t)(at + got));

		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}
