#include "queue/held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "mail/dotline.h"

enum { LOOK = 4096 };

static ssize_t read_full(char *p, size_t cap)
{
	size_t have = 0;

	while (have < cap) {
		const ssize_t n = door_read_message(p + have, cap - have);

		if (n == -1)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static bool has_8bit(const char *p, size_t n)
{
	unsigned char all = 0;

	for (size_t i = 0; i < n; i++)
		all |= (unsigned char)p[i];
	return all >= 0x80;
}

/* As it will be on the wire, only to be counted. */
static void look(struct held *h, struct dotline_out *d, const char *p, size_t n)
{
	char wire[DOTLINE_OUT_ROOM(LOOK)];

	for (size_t at = 0; at < n; at += LOOK)
		(void)dotline_encode(d, p + at, n - at < LOOK ? n - at : LOOK, wire);
	h->eight_bit = h->eight_bit || has_8bit(p, n);
}

static int open_unnamed(void)
{
	const char *dir = getenv("TMPDIR");
	char name[] = "/tmp/queue.XXXXXX";
	int fd = open(dir == NULL || dir[0] == '\0' ? "/tmp" : dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	fd = mkostemp(name, O_CLOEXEC); /* a file system that makes no such file */
	if (fd != -1)
		unlink(name);
	return fd;
}

static enum door_exit spill(struct held *h, struct dotline_out *d)
{
	ssize_t n = (ssize_t)h->kept;

	h->fd = open_unnamed();
	if (h->fd == -1)
		return DOOR_FILES;
	h->kept = 0;
	do {
		if (fs_write_all(h->fd, h->bytes, (size_t)n) == -1)
			return DOOR_WRITE;
		n = read_full(h->bytes, sizeof h->bytes);
		if (n == -1)
			return DOOR_READ;
		look(h, d, h->bytes, (size_t)n);
	} while (n > 0);
	return DOOR_KEPT;
}

enum door_exit held_fill(struct held *h)
{
	char end[DOTLINE_OUT_ROOM(0)];
	enum door_exit got = DOOR_KEPT;
	struct dotline_out d;
	ssize_t n;

	h->fd = -1;
	h->at = 0;
	h->eight_bit = false;
	dotline_out_init(&d);
	n = read_full(h->bytes, sizeof h->bytes);
	if (n == -1)
		return DOOR_READ;
	h->kept = (size_t)n;
	look(h, &d, h->bytes, h->kept);
	if (h->kept == sizeof h->bytes)
		got = spill(h, &d);
	(void)dotline_encode_end(&d, end);
	h->size = d.size;
	return got;
}

ssize_t held_next(struct held *h)
{
	ssize_t n;

	if (h->fd == -1) {
		n = (ssize_t)h->kept;
		h->kept = 0;
		return n;
	}
	do
		n = pread(h->fd, h->bytes, sizeof h->bytes, h->at);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		h->at += n;
	return n;
}
