#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int fs_fill_stdio(void)
{
	for (;;) {
		int fd = open("/dev/null", O_RDWR);

		if (fd == -1)
			return -1;
		if (fd > 2)
			return close(fd);
	}
}

static void close_keeping_errno(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

/* Reads n bytes, or up to the end. Returns what it read. */
static ssize_t read_up_to(int fd, char *p, size_t n)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = read(fd, p + have, n - have);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

/* A descriptor of a regular file, or -1. */
static int open_regular(int dir, const char *name, struct stat *st)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us */

	if (fd == -1)
		return -1;
	if (fstat(fd, st) == 0) {
		if (S_ISREG(st->st_mode))
			return fd;
		errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
	}
	close_keeping_errno(fd);
	return -1;
}

ssize_t fs_read_all(int dir, const char *name, char *memory, size_t cap)
{
	struct stat st;
	ssize_t n;
	int fd = open_regular(dir, name, &st);

	if (fd == -1)
		return -1;
	n = read_up_to(fd, memory, cap);
	close_keeping_errno(fd);
	if (n == -1)
		return -1;
	if ((size_t)n == cap) {
		errno = EFBIG;
		return -1;
	}
	memory[n] = '\0';
	return n;
}

ssize_t fs_read_file(int dir, const char *name, size_t max, char **text)
{
	struct stat st;
	ssize_t n = -1;
	int fd = open_regular(dir, name, &st);

	*text = NULL;
	if (fd == -1)
		return -1;
	if ((size_t)st.st_size <= max)
		*text = malloc((size_t)st.st_size + 1);
	else
		errno = EFBIG;
	if (*text != NULL)
		n = read_up_to(fd, *text, (size_t)st.st_size); /* one that grows meanwhile is as it was */
	close_keeping_errno(fd);
	if (n == -1) {
		free(*text);
		*text = NULL;
		return -1;
	}
	(*text)[n] = '\0';
	return n;
}

/* Exactly that many bytes: a file that is shorter or longer now is being changed. */
static int copy_bytes(int from, int to, size_t size)
{
	char block[64 * 1024];

	for (;;) {
		ssize_t n = read_up_to(from, block, sizeof block);

		if (n == -1)
			return -1;
		if ((size_t)n > size || (n == 0 && size > 0)) {
			errno = EAGAIN;
			return -1;
		}
		if (n == 0)
			return 0;
		if (fs_write_all(to, block, (size_t)n) == -1)
			return -1;
		size -= (size_t)n;
	}
}

int fs_sealed_copy(int fd, size_t size)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	int copy = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (copy == -1)
		return -1;
	if (copy_bytes(fd, copy, size) == 0 && fcntl(copy, F_ADD_SEALS, seals) == 0)
		return copy;
	close_keeping_errno(copy);
	return -1;
}

int fs_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t w = write(fd, at, n);

		if (w == -1 && errno == EINTR)
			continue;
		if (w == -1)
			return -1;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

int fs_pwrite_all(int fd, const void *p, size_t n, off_t at)
{
	const char *from = p;

	while (n > 0) {
		const ssize_t put = pwrite(fd, from, n, at);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -1;
		from += put;
		n -= (size_t)put;
		at += put;
	}
	return 0;
}
