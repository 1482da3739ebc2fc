/* What a start finds: the snapshot, then what the log says came after it. See STATES.md. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/numbers.h"
#include "queue/shelf.h"
#include "queue/store_inside.h"

enum { ARRIVING_MAX = 1024 }; /* more than the connections of intake */

struct recovery {
	struct store *s;
	uint64_t start; /* the first segment that is read */
	uint64_t next_id, next_batch;
	uint64_t last_id; /* of the record that was read last */
	bool damaged;     /* something was there that cannot be read */
	bool empty;       /* the last segment that was read holds nothing */
};

/* ---- the log -------------------------------------------------------------------------------------------- */

static void at_least(uint64_t *n, uint64_t least)
{
	if (*n < least)
		*n = least;
}

static void add_message(struct recovery *r, const struct record *record, uint64_t place)
{
	struct store *s = r->s;
	struct record_message about;
	const char *envelope, *message;
	uint32_t row;

	if (table_find(s->table, record->id) != 0) /* the snapshot has it, and knows better */
		return;
	row = store_split(record, &about, &envelope, &message) ? store_row(s, record->id, &about, envelope)
							       : 0;
	if (row == 0) {
		store_say(s, "log: message %" PRIu64 " cannot be read: %s", record->id, strerror(errno));
		r->damaged = true;
		return;
	}
	table_message(s->table, row)->place = place;
	if (record->kind == RECORD_SHELVED)
		table_message(s->table, row)->flags |= TABLE_SHELVED;
	else
		journal_segment(&s->journal, journal_segment_of(place))->live++;
}

static void set_state(struct store *s, uint32_t row, const struct record *record)
{
	struct record_state state;
	uint32_t each = table_message(s->table, row)->recipients;
	struct recipient *r;

	if (record->length != sizeof state)
		return;
	memcpy(&state, record->payload, sizeof state);
	for (uint32_t i = 0; each != 0 && i < state.number; i++)
		each = table_recipient(s->table, each)->next;
	if (each == 0)
		return;
	r = table_recipient(s->table, each);
	r->due = state.due;
	r->tries = state.tries;
	r->state = state.state;
}

static void set_flags(struct store *s, uint32_t row, const struct record *record)
{
	struct record_flags flags;
	struct message *m = table_message(s->table, row);

	if (record->length != sizeof flags)
		return;
	memcpy(&flags, record->payload, sizeof flags);
	m->flags = (uint16_t)((m->flags & TABLE_SHELVED) | (flags.flags & (TABLE_HELD | TABLE_BOUNCE)));
}

static void drop_row(struct store *s, uint32_t row)
{
	const struct message *m = table_message(s->table, row);

	if (!(m->flags & TABLE_SHELVED))
		store_leaves(s, m->place);
	table_remove(s->table, row);
}

static void apply(struct recovery *r, const struct record *record, uint64_t place)
{
	struct store *s = r->s;
	uint32_t row;

	at_least(&r->next_id, record->id + 1);
	at_least(&r->next_batch, record->batch + 1);
	if (record->kind == RECORD_MESSAGE || record->kind == RECORD_SHELVED) {
		add_message(r, record, place);
		return;
	}
	row = table_find(s->table, record->id);
	if (row == 0)
		return;
	if (record->kind == RECORD_STATE)
		set_state(s, row, record);
	else if (record->kind == RECORD_FLAGS)
		set_flags(s, row, record);
	else
		drop_row(s, row);
}

static void say_damage(struct recovery *r, uint64_t segment, size_t at, const char *what, uint64_t id)
{
	r->damaged = true;
	if (id != 0)
		store_say(r->s, "log/%" PRIu64 ": byte %zu: %s of message %" PRIu64, segment, at, what, id);
	else
		store_say(r->s, "log/%" PRIu64 ": byte %zu: %s", segment, at, what);
}

static const char *damage_of(const struct record *record)
{
	switch (record->kind) {
	case RECORD_MESSAGE:
	case RECORD_SHELVED:
		return "damaged: the loss";
	case RECORD_END:
		return "damaged: the end";
	default:
		return "damaged: the state";
	}
}

static void read_segment(struct recovery *r, const struct segment *segment, const char *p, size_t n)
{
	struct record record;
	size_t used;

	for (size_t at = SEGMENT_HEAD; at < n; at += used) {
		record.id = 0;
		switch (record_read(&r->s->journal.sum, segment->number, p + at, n - at, &record, &used)) {
		case RECORD_WHOLE:
			r->empty = false;
			r->last_id = record.id;
			apply(r, &record, segment->number << 32 | at / RECORD_ALIGN);
			break;
		case RECORD_DAMAGED:
			r->empty = false;
			at_least(&r->next_id, record.id + 1);
			say_damage(r, segment->number, at, damage_of(&record), record.id);
			break;
		case RECORD_GARBAGE:
			say_damage(r, segment->number, at,
				"damaged, up to the next record: what came behind the record", r->last_id);
			break;
		case RECORD_CUT:
			r->empty = false;
			say_damage(r, segment->number, at, "not finished, or damaged: a record", record.id);
			break;
		case RECORD_NONE:
			break;
		}
	}
}

static int map_segment(struct recovery *r, const struct segment *segment)
{
	struct stat st;
	char *p;

	if (fstat(segment->fd, &st) == -1)
		return -1;
	r->empty = true;
	if (st.st_size <= SEGMENT_HEAD)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, segment->fd, 0);
	if (p == MAP_FAILED)
		return -1;
	read_segment(r, segment, p, (size_t)st.st_size);
	return munmap(p, (size_t)st.st_size);
}

/* ---- the shelf, when the snapshot cannot be trusted or the log has lost something ------------------------- */

static void adopt(struct recovery *r, uint64_t id)
{
	struct store *s = r->s;
	struct shelf_file f;
	const int fd =
		table_find(s->table, id) != 0 ? -1 : shelf_open(s->shelf_dir, id, &s->journal.sum, &f);
	uint32_t row;

	if (fd == -1) /* known already, or never finished */
		return;
	row = store_row(s, id, &f.about, f.envelope);
	if (row != 0)
		table_message(s->table, row)->flags |= TABLE_SHELVED;
	at_least(&r->next_id, id + 1);
	free(f.envelope);
	close(fd);
}

static int read_shelf(struct recovery *r)
{
	char folder[3];
	struct numbers ids;
	int result = 0;

	for (unsigned i = 0; result == 0 && i < SHELF_FOLDERS; i++) {
		shelf_folder(folder, i);
		result = numbers_list(r->s->shelf_dir, folder, &ids);
		for (size_t k = 0; result == 0 && k < ids.count; k++)
			adopt(r, ids.at[k]);
		free(ids.at);
	}
	return result;
}

/* ---- segments -------------------------------------------------------------------------------------------- */

static int add(struct segment **list, size_t *count, uint64_t number, int fd)
{
	struct segment *more = realloc(*list, (*count + 1) * sizeof **list);

	if (more == NULL)
		return -1;
	more[(*count)++] = (struct segment){ .number = number, .fd = fd };
	*list = more;
	return 0;
}

/* Those that are free are known by their heads. has_key: l->key is right. */
static int open_segment(struct journal *l, uint64_t number, bool *has_key)
{
	unsigned char key[CHECKSUM_KEY];
	int fd, free_now = 0;

	if (segment_open(l->dir, number, &fd, key) == 0) {
		if (!*has_key)
			memcpy(l->key, key, sizeof key);
		*has_key = true;
	} else if (fd == -1) {
		return -1;
	} else if (errno == ENODATA) {
		close(fd);
		segment_remove(l->dir, number);
		return 0;
	} else {
		free_now = errno == ESTALE;
	}
	return free_now ? add(&l->free, &l->free_count, number, fd)
			: add(&l->segments, &l->count, number, fd);
}

static int open_segments(struct journal *l, bool *has_key)
{
	struct numbers found;
	int result = numbers_list(l->dir, ".", &found);

	for (size_t i = 0; i < found.count && result == 0; i++) {
		result = open_segment(l, found.at[i], has_key);
		at_least(&l->next_segment, found.at[i] + 1);
	}
	free(found.at);
	return result;
}

/* The segment that is written to next, for now the last. */
static int begin_segment(struct journal *l)
{
	const uint64_t number = l->next_segment++;
	int fd;

	if (l->free_count > 0) {
		const struct segment *s = &l->free[--l->free_count];

		fd = s->fd;
		if (segment_reuse(l->dir, s->number, number, fd, l->key) == -1) {
			close(fd);
			return -1;
		}
	} else {
		fd = segment_create(l->dir, number, l->segment_bytes, l->key);
	}
	return fd == -1 ? -1 : add(&l->segments, &l->count, number, fd);
}

/* ---- as a whole ------------------------------------------------------------------------------------------ */

/* What neither the log nor the shelf has any more. */
static void drop_lost(struct store *s)
{
	uint32_t next;

	for (uint32_t row = table_each(s->table, 0); row != 0; row = next) {
		const struct message *m = table_message(s->table, row);

		next = table_each(s->table, row);
		if ((m->flags & TABLE_SHELVED) ||
			journal_segment(&s->journal, journal_segment_of(m->place)) != NULL)
			continue;
		store_say(s, "log/%" PRIu64 " is not there: the loss of message %" PRIu64,
			journal_segment_of(m->place), m->id);
		table_remove(s->table, row);
	}
}

static void count_live(struct store *s)
{
	for (uint32_t row = table_each(s->table, 0); row != 0; row = table_each(s->table, row)) {
		const struct message *m = table_message(s->table, row);
		struct segment *segment = m->flags & TABLE_SHELVED ? NULL
								   : journal_segment(&s->journal,
									     journal_segment_of(m->place));

		if (segment != NULL)
			segment->live++;
	}
}

static int read_snapshot(struct recovery *r, bool *has_key)
{
	struct store *s = r->s;
	struct snapshot_head h;
	const int result = snapshot_read(s->dir, &h, s->table);

	if (h.magic[0] != '\0') {
		memcpy(s->journal.key, h.key, sizeof h.key);
		*has_key = true;
		r->next_id = h.next_id;
		r->next_batch = h.next_batch;
		at_least(&s->journal.next_segment, h.start);
	}
	if (result == 0) {
		r->start = h.start;
		return 0;
	}
	if (errno == ENOENT)
		return 0;
	if (errno != EBADMSG)
		return -1;
	store_say(s, "snapshot is damaged: mail that was sent already may be sent again");
	r->damaged = true;
	return 0;
}

static int find_key(struct store *s, bool has_key)
{
	if (!has_key &&
		(s->journal.count > 0 || getrandom(s->journal.key, CHECKSUM_KEY, 0) != CHECKSUM_KEY)) {
		errno = EBADMSG; /* nothing of this log can be read */
		return -1;
	}
	checksum_init(&s->journal.sum, s->journal.key);
	return table_messages(s->table) > 0 ? 0 : table_use_key(s->table, s->journal.key);
}

/* Without a snapshot no segment has ever been let go. */
static bool is_from_the_beginning(const struct journal *l)
{
	return l->count > 0 && l->segments[0].number == 1 && l->segments[l->count - 1].number == l->count;
}

static int read_log(struct recovery *r)
{
	struct journal *l = &r->s->journal;

	r->empty = false;
	if (r->start == 0 && !is_from_the_beginning(l))
		r->damaged = true;
	for (size_t i = 0; i < l->count; i++)
		if (l->segments[i].number >= r->start && map_segment(r, &l->segments[i]) == -1)
			return -1;
	if (r->damaged && read_shelf(r) == -1)
		return -1;
	return l->count > 0 && r->empty ? 0 : begin_segment(l);
}

static int fail(const char *what, char *why, size_t n)
{
	snprintf(why, n, "unable to read %s: %s", what, strerror(errno));
	return -1;
}

int store_recover(struct store *s, size_t segment_bytes, char *why, size_t why_size)
{
	struct recovery r = { .s = s, .next_id = 1, .next_batch = 1 };
	bool has_key = false;

	journal_open(&s->journal, s->log_dir, &s->flush, &s->slow, s);
	s->journal.segment_bytes = segment_bytes;
	s->journal.next_segment = 1;
	if (read_snapshot(&r, &has_key) == -1)
		return fail("snapshot", why, why_size);
	if (open_segments(&s->journal, &has_key) == -1 || find_key(s, has_key) == -1)
		return fail("log", why, why_size);
	drop_lost(s);
	count_live(s);
	if (read_log(&r) == -1)
		return fail("the queue", why, why_size);
	/* messages that were arriving have left files with numbers from there on, and no other trace */
	s->next_id = r.next_id + ARRIVING_MAX;
	s->sweep = (struct sweep){ .before = s->next_id, .off = r.damaged };
	s->journal.next_batch = r.next_batch;
	s->checkpoint.start = r.start;
	journal_free_below(&s->journal, r.start);
	return 0;
}
