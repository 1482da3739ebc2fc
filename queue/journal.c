#include "queue/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"

enum {
	BATCH_FIRST = 64 * 1024,
	FREE_MAX = 2, /* segments that are kept for later; more are removed */
	RETRY_MS = 10 * 1000
};

struct journal_batch {
	struct disk_job job;
	struct journal *journal;
	int fd;
	uint64_t segment, number;
	size_t at;
	char *bytes;
	size_t len, cap;
	struct journal_waiter *waiters, **last;
	int error;
};

/* ---- the batch that fills ------------------------------------------------------------------------------- */

static struct segment *current(struct journal *l)
{
	return &l->segments[l->count - 1];
}

static struct journal_batch *new_batch(struct journal *l)
{
	struct journal_batch *b;

	if (l->broken && !journal_turn_over(l)) {
		errno = l->broken_by;
		return NULL;
	}
	b = calloc(1, sizeof *b);
	if (b == NULL)
		return NULL;
	b->journal = l;
	b->fd = current(l)->fd;
	b->segment = current(l)->number;
	b->number = l->next_batch++;
	b->at = l->at;
	b->last = &b->waiters;
	return b;
}

static int grow(struct journal_batch *b, size_t by)
{
	size_t cap = b->cap == 0 ? BATCH_FIRST : b->cap;
	char *more;

	while (cap - b->len < by)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	more = realloc(b->bytes, cap);
	if (more == NULL)
		return -1;
	b->bytes = more;
	b->cap = cap;
	return 0;
}

char *journal_room(struct journal *l, size_t length)
{
	if (l->filling == NULL)
		l->filling = new_batch(l);
	if (l->filling == NULL || grow(l->filling, record_size(length)) == -1)
		return NULL;
	return l->filling->bytes + l->filling->len + RECORD_HEAD;
}

uint64_t journal_put(struct journal *l, enum record_kind kind, uint64_t id, size_t length)
{
	struct journal_batch *b = l->filling;
	const struct record r = {
		.kind = kind, .segment = b->segment, .batch = b->number, .id = id, .length = length
	};
	const uint64_t place = b->segment << 32 | (b->at + b->len) / RECORD_ALIGN;

	record_seal(&l->sum, &r, b->bytes + b->len);
	b->len += record_size(length);
	l->backlog += record_size(length);
	return place;
}

void journal_wait(struct journal *l, struct journal_waiter *w)
{
	w->next = NULL;
	*l->filling->last = w;
	l->filling->last = &w->next;
}

bool journal_fills(const struct journal *l)
{
	return l->filling != NULL && l->filling->len > 0;
}

/* ---- to the disk ---------------------------------------------------------------------------------------- */

static void free_batch(struct journal_batch *b)
{
	free(b->bytes);
	free(b);
}

static void run(struct disk_job *job)
{
	struct journal_batch *b = (struct journal_batch *)job;

	b->error = fs_pwrite_all(b->fd, b->bytes, b->len, (off_t)b->at) == -1 || fdatasync(b->fd) == -1
			   ? errno
			   : 0;
}

/* What a batch that failed said of messages that are kept is said again; of those that it brought, that they are
 * none: who knows what reached the disk. */
static void say_again(struct journal *l, const struct journal_batch *b)
{
	struct record r;
	size_t used;

	for (size_t at = 0; at < b->len; at += used) {
		const bool again = record_read(&l->sum, b->segment, b->bytes + at, b->len - at, &r,
					   &used) == RECORD_WHOLE &&
				   r.kind != RECORD_MESSAGE && r.kind != RECORD_SHELVED;
		const size_t length = again ? r.length : 0;
		char *room = journal_room(l, length);

		if (room == NULL) /* a message may come twice then, and none is lost */
			return;
		if (length > 0)
			memcpy(room, r.payload, length);
		journal_put(l, again ? r.kind : RECORD_END, r.id, length);
	}
}

static void settle(struct journal *l, struct journal_batch *b, int error)
{
	struct journal_waiter *next;

	for (struct journal_waiter *w = b->waiters; w != NULL; w = next) {
		next = w->next;
		if (error != 0 && w->stays && l->filling != NULL)
			journal_wait(l, w);
		else
			w->settled(w, l->arg, error);
	}
}

static void fail(struct journal *l, struct journal_batch *b)
{
	struct journal_batch *filling = l->filling;

	if (b->segment == current(l)->number) {
		l->broken = true;
		l->broken_by = b->error;
	}
	if (filling != NULL && filling->segment == b->segment) /* it would have gone to the same file */
		l->filling = NULL;
	else
		filling = NULL;
	say_again(l, b);
	settle(l, b, b->error);
	if (filling != NULL) {
		l->backlog -= filling->len;
		say_again(l, filling);
		settle(l, filling, b->error);
		free_batch(filling);
	}
}

static void done(struct disk_job *job, void *arg)
{
	struct journal_batch *b = (struct journal_batch *)job;
	struct journal *l = b->journal;

	(void)arg;
	l->backlog -= b->len;
	l->in_flight--;
	if (b->error == 0)
		settle(l, b, 0);
	else
		fail(l, b);
	free_batch(b);
}

void journal_write(struct journal *l)
{
	struct journal_batch *b = l->filling;

	l->filling = NULL;
	l->at = b->at + b->len;
	if (l->at >= l->segment_bytes)
		journal_turn_over(l); /* if it can; else this one grows */
	l->in_flight++;
	b->job.run = run;
	b->job.done = done;
	disk_give(l->flush, &b->job);
}

/* ---- reading -------------------------------------------------------------------------------------------- */

int journal_read(
	const struct journal *l, int fd, uint64_t segment, size_t at, struct record *r, char **memory)
{
	char head[RECORD_HEAD];
	size_t n, used;

	errno = EBADMSG;
	*memory = NULL;
	if (pread(fd, head, sizeof head, (off_t)at) != sizeof head)
		return -1;
	n = record_size(record_length(head));
	if (n > RECORD_MAX)
		return -1;
	*memory = malloc(n);
	if (*memory == NULL)
		return -1;
	if (pread(fd, *memory, n, (off_t)at) == (ssize_t)n &&
		record_read(&l->sum, segment, *memory, n, r, &used) == RECORD_WHOLE)
		return 0;
	free(*memory);
	*memory = NULL;
	errno = EBADMSG;
	return -1;
}

/* ---- segments ------------------------------------------------------------------------------------------- */

static int add_segment(struct segment **list, size_t *count, const struct segment *s)
{
	struct segment *more = realloc(*list, (*count + 1) * sizeof **list);

	if (more == NULL)
		return -1;
	more[(*count)++] = *s;
	*list = more;
	return 0;
}

bool journal_turn_over(struct journal *l)
{
	if (l->spare.fd == -1 || l->filling != NULL ||
		add_segment(&l->segments, &l->count, &l->spare) == -1)
		return false;
	l->spare.fd = -1;
	l->at = SEGMENT_HEAD;
	l->broken = false;
	return true;
}

struct segment *journal_segment(struct journal *l, uint64_t number)
{
	for (size_t i = l->count; i > 0; i--) /* mostly one of the last */
		if (l->segments[i - 1].number == number)
			return &l->segments[i - 1];
	return NULL;
}

void journal_free_below(struct journal *l, uint64_t number)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct segment *s = &l->segments[i];

		if (s->number >= number || s->live > 0 || i == l->count - 1 ||
			add_segment(&l->free, &l->free_count, s) == -1)
			l->segments[kept++] = *s;
	}
	l->count = kept;
}

/* A spare is made: of one that is free, or anew. Others that are free go. */
struct making {
	struct disk_job job;
	struct journal *journal;
	struct segment from; /* fd -1: a new one */
	struct segment spare;
	int error;
};

static void make(struct disk_job *job)
{
	struct making *m = (struct making *)job;
	const struct journal *l = m->journal; /* what it reads there does not change */
	int result;

	if (m->from.fd == -1) {
		m->spare.fd = segment_create(l->dir, m->spare.number, l->segment_bytes, l->key);
		result = m->spare.fd;
	} else {
		result = segment_reuse(l->dir, m->from.number, m->spare.number, m->from.fd, l->key);
		if (result == -1)
			close(m->from.fd);
		else
			m->spare.fd = m->from.fd;
	}
	m->error = result == -1 ? errno : 0;
}

static void made(struct disk_job *job, void *arg)
{
	struct making *m = (struct making *)job;
	struct journal *l = m->journal;

	(void)arg;
	l->making = false;
	if (m->error == 0)
		l->spare = m->spare;
	else
		l->retry_ms = clock_ms() + RETRY_MS;
	free(m);
}

static void remove_surplus(struct journal *l)
{
	while (l->free_count > FREE_MAX) {
		const struct segment *s = &l->free[--l->free_count];

		segment_remove(l->dir, s->number);
		close(s->fd);
	}
}

void journal_prepare(struct journal *l, int64_t now_ms)
{
	struct making *m;

	remove_surplus(l);
	if (l->making || l->spare.fd != -1 || now_ms < l->retry_ms)
		return;
	m = calloc(1, sizeof *m);
	if (m == NULL)
		return;
	m->journal = l;
	m->from.fd = -1;
	if (l->free_count > 0)
		m->from = l->free[--l->free_count];
	m->spare = (struct segment){ .number = l->next_segment++, .fd = -1 };
	m->job.run = make;
	m->job.done = made;
	l->making = true;
	disk_give(l->slow, &m->job);
}

/* ---- as a whole ----------------------------------------------------------------------------------------- */

void journal_open(struct journal *l, int dir, struct disk *flush, struct disk *slow, void *arg)
{
	l->dir = dir;
	l->flush = flush;
	l->slow = slow;
	l->arg = arg;
	l->at = SEGMENT_HEAD;
	l->spare.fd = -1;
}

static void close_all(struct segment *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(list[i].fd);
	free(list);
}

void journal_close(struct journal *l)
{
	if (l->filling != NULL)
		free_batch(l->filling);
	close_all(l->segments, l->count);
	close_all(l->free, l->free_count);
	if (l->spare.fd != -1)
		close(l->spare.fd);
}
