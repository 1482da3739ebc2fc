#include "queue/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

enum { BLOCK = 1 << 20 };

static const char magic[16] = "portero state 1";

struct block_head {
	uint32_t bytes;
	uint32_t rows;
	uint64_t check;
};

struct snapshot_message {
	uint64_t id;
	uint64_t place;
	uint32_t bytes;
	uint32_t born;
	uint32_t sender;
	uint32_t recipients;
	uint32_t flags;
	uint32_t spare;
};

struct snapshot_recipient {
	uint32_t hop;
	uint32_t due;
	uint16_t tries;
	uint8_t state;
	uint8_t spare;
};

static uint64_t check_of_head(const struct snapshot_head *h)
{
	static const unsigned char none[CHECKSUM_KEY];
	struct checksum c;

	checksum_init(&c, none);
	return checksum_of(&c, h, offsetof(struct snapshot_head, check));
}

/* ---- writing -------------------------------------------------------------------------------------------- */

struct snapshot_job {
	struct disk_job job;
	int dir, fd;
	const struct checksum *sum;
	uint32_t at; /* the row after which the next block begins */
	bool walked; /* that was the last row */
	bool away;   /* the disk has it */
	bool last;   /* this block ends the file */
	bool over;
	int error;
	uint64_t written;
	char *block;
	size_t len, cap;
};

static char *room(struct snapshot_job *j, size_t n)
{
	if (j->cap - j->len < n) {
		const size_t cap = (j->len + n) * 2;
		char *more = realloc(j->block, cap);

		if (more == NULL)
			return NULL;
		j->block = more;
		j->cap = cap;
	}
	j->len += n;
	return j->block + j->len - n;
}

static uint32_t count_recipients(struct table *t, const struct message *m)
{
	uint32_t count = 0;

	for (uint32_t row = m->recipients; row != 0; row = table_recipient(t, row)->next)
		count++;
	return count;
}

static int put_row(struct snapshot_job *j, struct table *t, const struct message *m)
{
	const struct snapshot_message im = { .id = m->id,
		.place = m->place,
		.bytes = m->bytes,
		.born = m->born,
		.sender = m->sender,
		.recipients = count_recipients(t, m),
		.flags = m->flags };
	char *p = room(j, sizeof im + im.recipients * sizeof(struct snapshot_recipient));

	if (p == NULL)
		return -1;
	memcpy(p, &im, sizeof im);
	p += sizeof im;
	for (uint32_t row = m->recipients; row != 0; row = table_recipient(t, row)->next) {
		const struct recipient *r = table_recipient(t, row);
		const struct snapshot_recipient ir = {
			.hop = r->hop, .due = r->due, .tries = r->tries, .state = r->state
		};

		memcpy(p, &ir, sizeof ir);
		p += sizeof ir;
	}
	return 0;
}

static int fill_block(struct snapshot_job *j, struct table *t)
{
	struct block_head b = { .rows = 0 };
	const size_t begin = j->len;

	if (room(j, sizeof b) == NULL)
		return -1;
	while (!j->walked && j->len - begin < BLOCK) {
		const struct message *m;

		j->at = table_each(t, j->at);
		if (j->at == 0) {
			j->walked = true;
			break;
		}
		m = table_message(t, j->at);
		/* what arrives just now stands in the log behind our beginning */
		if (m->flags & TABLE_ARRIVING)
			continue;
		if (put_row(j, t, m) == -1)
			return -1;
		b.rows++;
	}
	b.bytes = (uint32_t)(j->len - begin - sizeof b);
	b.check = checksum_of(j->sum, j->block + begin + sizeof b, b.bytes);
	memcpy(j->block + begin, &b, sizeof b);
	j->last = b.rows == 0;
	return 0;
}

static int publish(const struct snapshot_job *j)
{
	/* the name first, the flush after it */
	return renameat(j->dir, "snapshot.new", j->dir, "snapshot") == 0 && fsync(j->fd) == 0 &&
			       fsync(j->dir) == 0
		       ? 0
		       : -1;
}

static void run(struct disk_job *job)
{
	struct snapshot_job *j = (struct snapshot_job *)job;

	j->error = 0;
	if (fs_pwrite_all(j->fd, j->block, j->len, (off_t)j->written) == -1 ||
		(j->last ? fdatasync(j->fd) == -1 || publish(j) == -1 : false))
		j->error = errno;
	j->written += j->len;
}

static void done(struct disk_job *job, void *arg)
{
	struct snapshot_job *j = (struct snapshot_job *)job;

	(void)arg;
	j->away = false;
	j->len = 0;
	j->over = j->last || j->error != 0;
}

int snapshot_begin(struct snapshot *x, int dir, const struct checksum *sum, const struct snapshot_head *h)
{
	struct snapshot_job *j = calloc(1, sizeof *j);
	struct snapshot_head head = *h;
	char *p;

	if (j == NULL)
		return -1;
	memcpy(head.magic, magic, sizeof magic);
	head.check = check_of_head(&head);
	p = room(j, sizeof head);
	j->dir = dir;
	j->sum = sum;
	j->fd = p == NULL ? -1
			  : openat(dir, "snapshot.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (j->fd == -1) {
		free(j->block);
		free(j);
		return -1;
	}
	memcpy(p, &head, sizeof head);
	x->job = j;
	return 0;
}

static void end(struct snapshot *x)
{
	struct snapshot_job *j = x->job;

	x->bytes = j->written;
	x->job = NULL;
	close(j->fd);
	free(j->block);
	free(j);
}

bool snapshot_turn(struct snapshot *x, struct table *t, struct disk *d, int *error)
{
	struct snapshot_job *j = x->job;

	*error = 0;
	if (j->away)
		return true;
	if (!j->over && fill_block(j, t) == -1) {
		j->over = true;
		j->error = errno;
	}
	if (j->over) {
		*error = j->error;
		end(x);
		return false;
	}
	j->away = true;
	j->job.run = run;
	j->job.done = done;
	disk_give(d, &j->job);
	return true;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static int damaged(void)
{
	errno = EBADMSG;
	return -1;
}

static int read_row(struct table *t, const char **p, size_t *left)
{
	struct snapshot_message im;
	struct snapshot_recipient ir;
	struct message *m;
	uint32_t row;

	if (*left < sizeof im)
		return damaged();
	memcpy(&im, *p, sizeof im);
	*p += sizeof im;
	*left -= sizeof im;
	if (*left / sizeof ir < im.recipients)
		return damaged();
	row = table_add(t, im.id, im.recipients);
	if (row == 0)
		return -1;
	m = table_message(t, row);
	m->place = im.place;
	m->bytes = im.bytes;
	m->born = im.born;
	m->sender = im.sender;
	m->flags = (uint16_t)im.flags;
	for (uint32_t each = m->recipients; each != 0; each = table_recipient(t, each)->next) {
		struct recipient *r = table_recipient(t, each);

		memcpy(&ir, *p, sizeof ir);
		*p += sizeof ir;
		*left -= sizeof ir;
		r->hop = ir.hop;
		r->due = ir.due;
		r->tries = ir.tries;
		r->state = ir.state;
	}
	return 0;
}

static int read_blocks(const char *p, size_t left, const struct checksum *sum, struct table *t)
{
	struct block_head b;

	for (;;) {
		size_t rest;

		if (left < sizeof b)
			return damaged();
		memcpy(&b, p, sizeof b);
		p += sizeof b;
		left -= sizeof b;
		if (b.bytes > left || checksum_of(sum, p, b.bytes) != b.check)
			return damaged();
		if (b.rows == 0)
			return 0;
		rest = b.bytes;
		left -= b.bytes;
		for (uint32_t i = 0; i < b.rows; i++)
			if (read_row(t, &p, &rest) == -1)
				return -1;
		p += rest;
	}
}

static int read_all(const char *p, size_t n, struct snapshot_head *h, struct table *t)
{
	struct checksum sum;
	struct snapshot_head head;

	if (n < sizeof head)
		return damaged();
	memcpy(&head, p, sizeof head);
	if (memcmp(head.magic, magic, sizeof magic) != 0 || head.check != check_of_head(&head))
		return damaged();
	*h = head;
	checksum_init(&sum, h->key);
	if (table_use_key(t, h->key) == -1)
		return -1;
	return read_blocks(p + sizeof *h, n - sizeof *h, &sum, t);
}

int snapshot_read(int dir, struct snapshot_head *h, struct table *t)
{
	const int fd = openat(dir, "snapshot", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char *p;
	int result, saved;

	h->magic[0] = '\0';
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || st.st_size == 0) {
		close(fd);
		return damaged();
	}
	/* the file is ours alone: nobody cuts it while we read */
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return -1;
	result = read_all(p, (size_t)st.st_size, h, t);
	saved = errno;
	munmap(p, (size_t)st.st_size);
	errno = saved;
	return result;
}
