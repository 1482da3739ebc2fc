#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
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

ssize_t fs_read_all(int dir, const char *name, char *memory, size_t cap)
{
	struct stat st;
	size_t have = 0;
	ssize_t n = -1;
	int saved;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us */

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		goto out;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		goto out;
	}
	while (have < cap) {
		n = read(fd, memory + have, cap - have);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	if (have == cap) {
		errno = EFBIG;
		n = -1;
	}
out:
	saved = errno;
	close(fd);
	errno = saved;
	if (n == -1)
		return -1;
	memory[have] = '\0';
	return (ssize_t)have;
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
