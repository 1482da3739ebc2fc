#include "queue/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "queue/shelf.h"
#include "queue/store_inside.h"

enum {
	YOUNG = 4,    /* segments whose messages are not moved: most of them will have ended */
	OFTEN = 4,    /* segments after which a snapshot is due */
	AT_ONCE = 32, /* messages moved in one job */
	STEPS = 4096, /* rows looked at in a turn */
	RETRY_MS = 30 * 1000
};

/* ---- moving --------------------------------------------------------------------------------------------- */

/* Messages of the log that get a file, or the flush of all such files. Records do not change once they are written,
 * and their segments are not let go meanwhile. */
struct moving {
	struct disk_job job;
	struct store *store;
	struct {
		uint64_t id;
		int fd; /* of the segment */
		uint64_t segment;
		size_t at;
	} from[AT_ONCE];
	size_t count;
	int error;
};

static int copy_out(const struct store *s, uint64_t id, const struct record *r)
{
	struct shelf_file f = { .id = id };
	const char *envelope, *message;
	int fd, result = -1, saved;

	if (!store_split(r, &f.about, &envelope, &message)) {
		errno = EBADMSG;
		return -1;
	}
	f.envelope = (char *)envelope;
	f.check = checksum_of(&s->journal.sum, message, f.about.bytes);
	fd = shelf_create(s->shelf_dir, id);
	if (fd == -1)
		return -1;
	if (fs_pwrite_all(fd, message, f.about.bytes, SHELF_ROOM) == 0)
		result = shelf_finish(fd, &s->journal.sum, &f, false);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}

static int move_one(const struct store *s, uint64_t id, int segment_fd, uint64_t segment, size_t at)
{
	struct record r;
	char *memory;
	int result, saved;

	if (journal_read(&s->journal, segment_fd, segment, at, &r, &memory) == -1)
		return -1;
	result = copy_out(s, id, &r);
	saved = errno;
	free(memory);
	errno = saved;
	return result;
}

static void run_move(struct disk_job *job)
{
	struct moving *m = (struct moving *)job;

	for (size_t i = 0; i < m->count; i++)
		/* one that is damaged stays where it is: it will be said when it is read */
		if (move_one(m->store, m->from[i].id, m->from[i].fd, m->from[i].segment, m->from[i].at) ==
			-1) {
			if (errno != EBADMSG) {
				m->error = errno;
				return;
			}
			m->from[i].id = 0;
		}
}

static void run_sync(struct disk_job *job)
{
	struct moving *m = (struct moving *)job;

	m->error = syncfs(m->store->shelf_dir) == -1 ? errno : 0;
}

/* ---- steps ---------------------------------------------------------------------------------------------- */

static void give_up(struct store *s, int error)
{
	struct checkpoint *c = &s->checkpoint;

	store_say(s, "unable to make room in the log: %s; trying again", strerror(error));
	c->step = CHECKPOINT_IDLE;
	c->moved.count = 0;
	c->retry_ms = clock_ms() + RETRY_MS;
}

static void moved(struct disk_job *job, void *arg)
{
	struct moving *m = (struct moving *)job;
	struct checkpoint *c = &m->store->checkpoint;

	(void)arg;
	c->away = false;
	for (size_t i = 0; m->error == 0 && i < m->count; i++)
		if (m->from[i].id != 0 && numbers_add(&c->moved, m->from[i].id) == -1)
			m->error = errno;
	if (m->error != 0)
		give_up(m->store, m->error);
	free(m);
}

/* All of them are on the disk now. */
static void take_over(struct store *s)
{
	struct checkpoint *c = &s->checkpoint;

	for (size_t i = 0; i < c->moved.count; i++) {
		const uint32_t row = table_find(s->table, c->moved.at[i]);
		struct message *m;

		if (row == 0) { /* it has ended meanwhile */
			store_unshelve(s, c->moved.at[i]);
			continue;
		}
		m = table_message(s->table, row);
		store_leaves(s, m->place);
		m->flags |= TABLE_SHELVED;
	}
	c->moved.count = 0;
}

static void synced(struct disk_job *job, void *arg)
{
	struct moving *m = (struct moving *)job;
	struct store *s = m->store;

	(void)arg;
	s->checkpoint.away = false;
	if (m->error != 0) {
		give_up(s, m->error);
	} else {
		take_over(s);
		s->checkpoint.step = CHECKPOINT_WRITE;
	}
	free(m);
}

static bool is_old(struct store *s, const struct message *m)
{
	return !(m->flags & (TABLE_SHELVED | TABLE_ARRIVING)) &&
	       journal_segment_of(m->place) + YOUNG < s->checkpoint.next;
}

static void gather(struct store *s, struct moving *m)
{
	struct checkpoint *c = &s->checkpoint;

	for (int i = 0; i < STEPS && m->count < AT_ONCE; i++) {
		const struct message *row;

		c->walk = table_each(s->table, c->walk);
		if (c->walk == 0) {
			c->walked = true;
			return;
		}
		row = table_message(s->table, c->walk);
		if (!is_old(s, row))
			continue;
		m->from[m->count].id = row->id;
		m->from[m->count].segment = journal_segment_of(row->place);
		m->from[m->count].fd = journal_segment(&s->journal, journal_segment_of(row->place))->fd;
		m->from[m->count].at = journal_offset_of(row->place);
		m->count++;
	}
}

static struct moving *new_moving(struct store *s)
{
	struct moving *m = calloc(1, sizeof *m);

	if (m == NULL)
		give_up(s, ENOMEM);
	else
		m->store = s;
	return m;
}

static void give(struct store *s, struct moving *m, void (*run)(struct disk_job *),
	void (*done)(struct disk_job *, void *))
{
	s->checkpoint.away = true;
	m->job.run = run;
	m->job.done = done;
	disk_give(&s->slow, &m->job);
}

static void step_move(struct store *s)
{
	struct checkpoint *c = &s->checkpoint;
	struct moving *m = new_moving(s);

	if (m == NULL)
		return;
	if (!c->walked)
		gather(s, m);
	if (m->count > 0) {
		give(s, m, run_move, moved);
	} else if (!c->walked) {
		store_wake(s); /* nothing was old among these: on in the next turn */
		free(m);
	} else if (c->moved.count > 0) {
		c->step = CHECKPOINT_SYNC;
		give(s, m, run_sync, synced);
	} else {
		c->step = CHECKPOINT_WRITE;
		free(m);
	}
}

static bool is_due(const struct store *s, bool all)
{
	const struct checkpoint *c = &s->checkpoint;
	const uint64_t current = s->journal.segments[s->journal.count - 1].number;
	const uint64_t large =
		c->snapshot.bytes / s->journal.segment_bytes; /* it shall not be most of what is written */

	if (clock_ms() < c->retry_ms)
		return false;
	if (all)
		return c->start != current || s->journal.at > SEGMENT_HEAD;
	return current - c->start >= OFTEN + large;
}

/* The log goes on in another segment: what is before it can be told in whole. */
static void step_begin(struct store *s, bool all)
{
	struct checkpoint *c = &s->checkpoint;

	if (!is_due(s, all) || s->journal.in_flight > 0)
		return;
	if (journal_fills(&s->journal))
		journal_write(&s->journal);
	if (!journal_turn_over(&s->journal))
		return;
	c->next = s->journal.segments[s->journal.count - 1].number;
	c->walk = 0;
	c->walked = all || c->next <= YOUNG + 1;
	c->step = CHECKPOINT_DRAIN;
}

static void step_write(struct store *s)
{
	struct checkpoint *c = &s->checkpoint;
	int error;

	if (c->snapshot.job == NULL) {
		struct snapshot_head h = {
			.start = c->next, .next_id = s->next_id, .next_batch = s->journal.next_batch
		};

		memcpy(h.key, s->journal.key, sizeof h.key);
		if (snapshot_begin(&c->snapshot, s->dir, &s->journal.sum, &h) == -1) {
			give_up(s, errno);
			return;
		}
	}
	if (snapshot_turn(&c->snapshot, s->table, &s->slow, &error))
		return;
	if (error != 0) {
		give_up(s, error);
		return;
	}
	c->start = c->next;
	c->step = CHECKPOINT_IDLE;
	journal_free_below(&s->journal, c->start);
}

void checkpoint_turn(struct store *s, bool all)
{
	struct checkpoint *c = &s->checkpoint;

	if (c->away)
		return;
	switch (c->step) {
	case CHECKPOINT_IDLE:
		step_begin(s, all);
		break;
	case CHECKPOINT_DRAIN: /* its last batch may not be in the table yet */
		if (s->journal.in_flight == 0)
			c->step = CHECKPOINT_MOVE;
		break;
	case CHECKPOINT_MOVE:
		step_move(s);
		break;
	case CHECKPOINT_SYNC:
		break;
	case CHECKPOINT_WRITE:
		step_write(s);
		break;
	}
}

bool checkpoint_busy(const struct store *s)
{
	const bool can = s->journal.spare.fd != -1 || s->journal.making;

	return s->checkpoint.step != CHECKPOINT_IDLE || (s->closing && can && is_due(s, true));
}

void checkpoint_close(struct store *s)
{
	free(s->checkpoint.moved.at);
}
