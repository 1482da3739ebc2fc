#include "queue/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "queue/numbers.h"

enum { COPY_AT = SEGMENT_HEAD / 2, ZEROS = 1 << 20, GENTLE = 8 << 20 };

struct head {
	char magic[16];
	uint64_t number;
	unsigned char key[CHECKSUM_KEY];
	uint64_t check;
};

static const char magic[16] = "portero log 1\n";

/* The head tells the key, so that its own check is made with none. */
static uint64_t check_of(const struct head *h)
{
	static const unsigned char none[CHECKSUM_KEY];
	struct checksum c;
	struct head copy = *h;

	copy.check = 0;
	checksum_init(&c, none);
	return checksum_of(&c, &copy, sizeof copy);
}

static int write_head(int fd, uint64_t number, const unsigned char key[CHECKSUM_KEY])
{
	struct head h = { .number = number };
	char block[SEGMENT_HEAD] = "";

	memcpy(h.magic, magic, sizeof h.magic);
	memcpy(h.key, key, sizeof h.key);
	h.check = check_of(&h);
	memcpy(block, &h, sizeof h);
	memcpy(block + COPY_AT, &h, sizeof h);
	return fs_pwrite_all(fd, block, sizeof block, 0);
}

/* fallocate alone would leave extents that are not written: each first write into one costs a commit of the
 * file system's journal. */
static int fill(int fd, size_t bytes)
{
	char *zeros = calloc(1, ZEROS);
	int result = zeros == NULL ? -1 : 0;

	for (size_t at = 0; result == 0 && at < bytes; at += ZEROS) {
		result = fs_pwrite_all(fd, zeros, bytes - at < ZEROS ? bytes - at : ZEROS, (off_t)at);
		/* little by little: the log is flushed meanwhile */
		if (result == 0 && (at + ZEROS) % GENTLE == 0)
			result = fdatasync(fd);
	}
	free(zeros);
	return result;
}

int segment_create(int dir, uint64_t number, size_t bytes, const unsigned char key[CHECKSUM_KEY])
{
	char name[NUMBERS_NAME];
	int fd, saved;

	numbers_name(name, number);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (fill(fd, bytes) == 0 && write_head(fd, number, key) == 0 && fsync(fd) == 0 && fsync(dir) == 0)
		return fd;
	saved = errno;
	unlinkat(dir, name, 0);
	close(fd);
	errno = saved;
	return -1;
}

/* The name first, the flush after it: the other way round a power cut leaves the former name. */
int segment_reuse(int dir, uint64_t from, uint64_t to, int fd, const unsigned char key[CHECKSUM_KEY])
{
	char name[NUMBERS_NAME], other[NUMBERS_NAME];

	numbers_name(name, from);
	numbers_name(other, to);
	if (renameat(dir, name, dir, other) == -1)
		return -1;
	return write_head(fd, to, key) == 0 && fsync(fd) == 0 && fsync(dir) == 0 ? 0 : -1;
}

/* The number that the head has; 0: it has none. */
static uint64_t read_head(int fd, off_t at, unsigned char key[CHECKSUM_KEY])
{
	struct head h;

	if (pread(fd, &h, sizeof h, at) != sizeof h || memcmp(h.magic, magic, sizeof magic) != 0 ||
		h.check != check_of(&h))
		return 0;
	memcpy(key, h.key, CHECKSUM_KEY);
	return h.number;
}

/* Zeros to its end, or no byte at all: its head comes before its first record. */
static bool is_blank(int fd)
{
	char *piece = malloc(ZEROS);
	bool blank = piece != NULL;
	ssize_t n = 1;

	for (off_t at = 0; blank && n > 0; at += n) {
		n = pread(fd, piece, ZEROS, at);
		blank = n == 0 ||
			(n > 0 && piece[0] == '\0' && memcmp(piece, piece + 1, (size_t)n - 1) == 0);
	}
	free(piece);
	return blank;
}

int segment_open(int dir, uint64_t number, int *fd, unsigned char key[CHECKSUM_KEY])
{
	char name[NUMBERS_NAME];
	uint64_t found;

	numbers_name(name, number);
	*fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (*fd == -1)
		return -1;
	found = read_head(*fd, 0, key);
	if (found == 0)
		found = read_head(*fd, COPY_AT, key);
	if (found == number)
		return 0;
	if (found != 0)
		errno = ESTALE;
	else
		errno = is_blank(*fd) ? ENODATA : EBADMSG;
	return -1;
}

void segment_remove(int dir, uint64_t number)
{
	char name[NUMBERS_NAME];

	numbers_name(name, number);
	unlinkat(dir, name, 0);
}
