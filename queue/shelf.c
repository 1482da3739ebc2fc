#include "queue/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "queue/numbers.h"

enum { LINES = 400, PATH = 3 + NUMBERS_NAME, COPY = 1 << 20 };

unsigned shelf_folder_of(uint64_t id)
{
	return (unsigned)(id % SHELF_FOLDERS);
}

void shelf_folder(char name[3], unsigned folder)
{
	static const char digits[] = "0123456789abcdef";

	name[0] = digits[folder / 16 % 16];
	name[1] = digits[folder % 16];
	name[2] = '\0';
}

static void path_of(char path[PATH], uint64_t id)
{
	shelf_folder(path, shelf_folder_of(id));
	path[2] = '/';
	numbers_name(path + 3, id);
}

int shelf_folders(int shelf)
{
	char name[3];

	for (unsigned i = 0; i < SHELF_FOLDERS; i++) {
		shelf_folder(name, i);
		if (mkdirat(shelf, name, 0700) == -1 && errno != EEXIST)
			return -1;
	}
	return fsync(shelf);
}

int shelf_create(int shelf, uint64_t id)
{
	char path[PATH];

	path_of(path, id);
	/* one may be there: of a move to the shelf that a crash has interrupted */
	return openat(shelf, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* ---- the head ------------------------------------------------------------------------------------------- */

static uint64_t check_of_head(
	const struct checksum *c, const char *lines, size_t n, const struct shelf_file *f)
{
	return checksum_of(c, lines, n) ^ checksum_of(c, f->envelope, f->about.envelope);
}

static int put_lines(char lines[LINES], const struct checksum *c, const struct shelf_file *f)
{
	const struct record_message *m = &f->about;
	int n = snprintf(lines, LINES,
		"portero message 1 head %zu\nnumber %" PRIu64 "\nborn %" PRIu32 "\nuid %" PRIu32
		" pid %" PRIu32 "\nflags %" PRIu32 "\nenvelope %" PRIu32 " recipients %" PRIu32
		"\nbytes %" PRIu32 "\ncheck %016" PRIx64 "\n",
		f->head, f->id, m->born, m->uid, m->pid, m->flags, m->envelope, m->recipients, m->bytes,
		f->check);

	return n + snprintf(lines + n, LINES - (size_t)n, "head-check %016" PRIx64 "\n",
			   check_of_head(c, lines, (size_t)n, f));
}

static size_t head_for(size_t envelope)
{
	return (LINES + envelope + SHELF_ROOM - 1) / SHELF_ROOM * SHELF_ROOM;
}

static int write_head(int fd, const struct checksum *c, const struct shelf_file *f)
{
	char *head = malloc(f->head);
	int n, result;

	if (head == NULL)
		return -1;
	memset(head, '\n', f->head);
	n = put_lines(head, c, f);
	head[n] = '\n'; /* where the NUL was */
	memcpy(head + n, f->envelope, f->about.envelope);
	result = fs_pwrite_all(fd, head, f->head, 0);
	free(head);
	return result;
}

/* Many recipients: the message goes back to make room, its end first. */
static int move_message(int fd, size_t bytes, size_t by)
{
	char *block = malloc(COPY);
	int result = block == NULL ? -1 : 0;

	while (result == 0 && bytes > 0) {
		const size_t n = bytes < COPY ? bytes : COPY;
		const off_t at = (off_t)(SHELF_ROOM + bytes - n);

		bytes -= n;
		if (pread(fd, block, n, at) != (ssize_t)n)
			result = -1;
		else
			result = fs_pwrite_all(fd, block, n, at + (off_t)by);
	}
	free(block);
	return result;
}

int shelf_finish(int fd, const struct checksum *c, const struct shelf_file *f, bool flush)
{
	struct shelf_file whole = *f;

	whole.head = head_for(f->about.envelope);
	if (whole.head > SHELF_ROOM && move_message(fd, f->about.bytes, whole.head - SHELF_ROOM) == -1)
		return -1;
	if (write_head(fd, c, &whole) == -1)
		return -1;
	return flush ? fsync(fd) : 0;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static int damaged(void)
{
	errno = EBADMSG;
	return -1;
}

/* "WORD NUMBER" and the blank or line feed behind it. NULL: it is not there. */
static const char *take(const char *p, const char *word, int base, uint64_t *number)
{
	const size_t n = strlen(word);
	char *end;

	if (p == NULL || strncmp(p, word, n) != 0 || p[n] != ' ')
		return NULL;
	errno = 0;
	*number = strtoull(p + n + 1, &end, base);
	return errno == 0 && end > p + n + 1 && (*end == '\n' || *end == ' ') ? end + 1 : NULL;
}

static const char *take32(const char *p, const char *word, uint32_t *number)
{
	uint64_t n = 0;

	p = take(p, word, 10, &n);
	*number = (uint32_t)n;
	return n <= UINT32_MAX ? p : NULL;
}

/* The bytes of the lines before head-check, or 0. */
static size_t parse_lines(
	const char *lines, struct shelf_file *f, uint64_t *head_check, size_t *envelope_at)
{
	struct record_message *m = &f->about;
	uint64_t head;
	const char *p = take(lines, "portero message 1 head", 10, &head), *before;

	p = take(p, "number", 10, &f->id);
	p = take32(p, "born", &m->born);
	p = take32(p, "uid", &m->uid);
	p = take32(p, "pid", &m->pid);
	p = take32(p, "flags", &m->flags);
	p = take32(p, "envelope", &m->envelope);
	p = take32(p, "recipients", &m->recipients);
	p = take32(p, "bytes", &m->bytes);
	p = take(p, "check", 16, &f->check);
	before = p;
	p = take(p, "head-check", 16, head_check);
	if (p == NULL)
		return 0;
	f->head = head;
	*envelope_at = (size_t)(p - lines);
	return (size_t)(before - lines);
}

static int read_head(int fd, const struct checksum *c, struct shelf_file *f)
{
	char lines[LINES + 1];
	const ssize_t got = pread(fd, lines, LINES, 0);
	uint64_t head_check;
	size_t n, at;

	if (got == -1)
		return -1;
	lines[got] = '\0';
	n = parse_lines(lines, f, &head_check, &at);
	if (n == 0 || f->head != head_for(f->about.envelope))
		return damaged();
	f->envelope = malloc(f->about.envelope + 1);
	if (f->envelope == NULL)
		return -1;
	if (pread(fd, f->envelope, f->about.envelope, (off_t)at) == (ssize_t)f->about.envelope &&
		check_of_head(c, lines, n, f) == head_check)
		return 0;
	free(f->envelope);
	f->envelope = NULL;
	return damaged();
}

static int is_as_long(int fd, const struct shelf_file *f)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	return (uint64_t)st.st_size == f->head + f->about.bytes ? 0 : damaged();
}

int shelf_open(int shelf, uint64_t id, const struct checksum *c, struct shelf_file *f)
{
	char path[PATH];
	int fd, saved;

	*f = (struct shelf_file){ .envelope = NULL };
	path_of(path, id);
	fd = openat(shelf, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return -1;
	if (read_head(fd, c, f) == 0 && (f->id == id || damaged() == 0) && is_as_long(fd, f) == 0 &&
		lseek(fd, (off_t)f->head, SEEK_SET) != -1)
		return fd;
	saved = errno;
	free(f->envelope);
	f->envelope = NULL;
	close(fd);
	errno = saved;
	return -1;
}

int shelf_verify(int fd, const struct checksum *c, const struct shelf_file *f)
{
	char *block = malloc(COPY);
	struct checksum_sum *sum = checksum_begin(c);
	off_t at = (off_t)f->head;
	ssize_t n = -1;

	if (block != NULL && sum != NULL)
		while ((n = pread(fd, block, COPY, at)) > 0) {
			checksum_add(sum, block, (size_t)n);
			at += n;
		}
	free(block);
	if (sum == NULL)
		return -1;
	if (checksum_end(sum) != f->check && n == 0)
		return damaged();
	return n == 0 ? 0 : -1;
}

int shelf_remove(int shelf, uint64_t id)
{
	char path[PATH];

	path_of(path, id);
	return unlinkat(shelf, path, 0);
}
