/* A message that arrives: in memory while it is small, then in a file of the shelf. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "queue/shelf.h"
#include "queue/store_inside.h"

enum {
	SMALL_MAX = 128 * 1024, /* more is too much for the log: a large message would fill it */
	PIECE = 256 * 1024,     /* of a large one, from memory to its file */
	FIRST = 8 * 1024,
	CONGESTED = 8 << 20 /* bytes that wait for the log's disk */
};

/* A piece of a large message on its way, and what is known of its file. */
struct large {
	struct disk_job job;
	struct store_message *message; /* NULL: it was given up meanwhile */
	struct store *store;
	struct shelf_file file;
	struct checksum_sum *sum;
	int fd;
	char *piece;
	size_t len, cap;
	bool last;
	int error;
};

struct store_message {
	struct journal_waiter waiter;
	struct store *store;
	void *owner;
	struct store_message *next, **from; /* of all that arrive */
	struct store_message *next_late;
	char *bytes;
	size_t len, cap;
	struct large *large; /* NULL: it is small so far */
	uint64_t given;      /* bytes that large has, or had */
	bool away;           /* the disk has large: it is not ours then */
	bool finished;
	int error;
	uint64_t id;
	uint32_t row;
	struct record_message about;
	char *envelope;
};

/* ---- beginning and end ---------------------------------------------------------------------------------- */

struct store_message *store_begin(struct store *s, void *owner, const char *head, size_t n)
{
	struct store_message *m;

	if (s->full || s->closing) {
		errno = ENOSPC;
		return NULL;
	}
	m = calloc(1, sizeof *m);
	if (m == NULL)
		return NULL;
	m->store = s;
	m->owner = owner;
	m->next = s->arriving;
	m->from = &s->arriving;
	if (m->next != NULL)
		m->next->from = &m->next;
	s->arriving = m;
	if (n == 0 || store_write(m, head, n) == 0)
		return m;
	store_abandon(m);
	errno = ENOMEM;
	return NULL;
}

static void forget(struct store_message *m)
{
	*m->from = m->next;
	if (m->next != NULL)
		m->next->from = m->from;
	free(m->bytes);
	free(m->envelope);
	free(m);
}

static void free_large(struct large *l)
{
	if (l->fd != -1)
		close(l->fd);
	if (l->sum != NULL)
		checksum_end(l->sum);
	free(l->file.envelope);
	free(l->piece);
	free(l);
}

static void drop_large(struct store *s, struct large *l)
{
	store_unshelve(s, l->file.id);
	free_large(l);
}

void store_abandon(struct store_message *m)
{
	if (m->large != NULL) {
		m->large->message = NULL;
		if (!m->away)
			drop_large(m->store, m->large);
	}
	forget(m);
}

static void tell(struct store_message *m, int error)
{
	const struct store_events *e = &m->store->events;
	const struct store_origin from = { .uid = m->about.uid, .pid = (pid_t)m->about.pid };
	struct envelope envelope = { .bytes = m->envelope, .cap = m->about.envelope };

	if (error != 0)
		e->lost(e->arg, m->owner, error);
	else if (envelope_check(&envelope, envelope.cap) == ENVELOPE_WHOLE) /* it was, at store_finish */
		e->kept(e->arg, m->owner, m->row, &envelope, &from);
	forget(m);
}

/* Its owner may be in the middle of something: told in the next turn. */
static void fail_later(struct store_message *m)
{
	m->row = 0;
	m->next_late = m->store->late;
	m->store->late = m;
	store_wake(m->store);
}

void store_message_turn(struct store *s)
{
	struct store_message *m;

	while ((m = s->late) != NULL) {
		s->late = m->next_late;
		tell(m, m->error);
	}
	if (!s->congested || s->journal.backlog > CONGESTED / 2)
		return;
	s->congested = false;
	for (struct store_message *next = s->arriving; (m = next) != NULL;) {
		next = m->next;
		if (!m->finished)
			s->events.ready(s->events.arg, m->owner);
	}
}

/* ---- a record of it ------------------------------------------------------------------------------------- */

static void settled(struct journal_waiter *w, void *arg, int error)
{
	struct store_message *m = (struct store_message *)w;
	struct store *s = arg;

	if (error == 0)
		table_message(s->table, m->row)->flags &= (uint16_t)~TABLE_ARRIVING;
	else if (table_message(s->table, m->row)->flags & TABLE_SHELVED)
		store_unshelve(s, m->id);
	else
		store_leaves(s, table_message(s->table, m->row)->place);
	if (error != 0) {
		table_remove(s->table, m->row);
		m->row = 0;
	}
	tell(m, error);
}

static char *put(char *to, const void *p, size_t n)
{
	if (n > 0)
		memcpy(to, p, n);
	return to + n;
}

/* The row, and the record in the batch that fills. The one that it is in is the last thing that can fail. */
static int record(struct store_message *m, enum record_kind kind)
{
	struct store *s = m->store;
	const size_t bytes = kind == RECORD_MESSAGE ? m->about.bytes : 0;
	const size_t length = sizeof m->about + m->about.envelope + bytes;
	char *to = journal_room(&s->journal, length);
	struct message *row;

	if (to == NULL)
		return -1;
	m->row = store_row(s, m->id, &m->about, m->envelope);
	if (m->row == 0)
		return -1;
	to = put(to, &m->about, sizeof m->about);
	to = put(to, m->envelope, m->about.envelope);
	put(to, m->bytes, bytes);
	row = table_message(s->table, m->row);
	row->flags |= kind == RECORD_SHELVED ? TABLE_ARRIVING | TABLE_SHELVED : TABLE_ARRIVING;
	row->place = journal_put(&s->journal, kind, m->id, length);
	if (kind == RECORD_MESSAGE)
		journal_segment(&s->journal, journal_segment_of(row->place))->live++;
	m->waiter.settled = settled;
	journal_wait(&s->journal, &m->waiter);
	s->eager = true;
	return 0;
}

/* ---- large ones ----------------------------------------------------------------------------------------- */

static int begin_file(struct large *l)
{
	l->fd = shelf_create(l->store->shelf_dir, l->file.id);
	return l->fd;
}

static int write_piece(struct large *l)
{
	const off_t at = SHELF_ROOM + (off_t)l->file.about.bytes;

	if (l->fd == -1 && begin_file(l) == -1)
		return -1;
	if (fs_pwrite_all(l->fd, l->piece, l->len, at) == -1)
		return -1;
	/* the flush at the end would have all of it to do, and others would wait behind it; that it is not begun is
	 * no error */
	if (sync_file_range(l->fd, at, (off_t)l->len, SYNC_FILE_RANGE_WRITE) == -1)
		errno = 0;
	checksum_add(l->sum, l->piece, l->len);
	l->file.about.bytes += (uint32_t)l->len;
	return 0;
}

static int write_last(struct large *l)
{
	l->file.check = checksum_end(l->sum);
	l->sum = NULL;
	return shelf_finish(l->fd, &l->store->journal.sum, &l->file, true);
}

static void run_large(struct disk_job *job)
{
	struct large *l = (struct large *)job;

	if (write_piece(l) == -1 || (l->last && write_last(l) == -1))
		l->error = errno;
}

static void go_on(struct store_message *m);

static void done_large(struct disk_job *job, void *arg)
{
	struct large *l = (struct large *)job;
	struct store_message *m = l->message;
	struct store *s = l->store;

	(void)arg;
	if (m == NULL) {
		drop_large(s, l);
		return;
	}
	m->away = false;
	if (l->error != 0)
		m->error = l->error;
	if (m->finished)
		go_on(m);
	else
		s->events.ready(s->events.arg, m->owner);
}

/* What has gathered goes to the disk; a new piece gathers. */
static void give_piece(struct store_message *m, bool last)
{
	struct large *l = m->large;
	char *piece = l->piece;
	const size_t cap = l->cap;

	l->piece = m->bytes;
	l->cap = m->cap;
	l->len = m->len;
	l->last = last;
	m->given += m->len;
	m->bytes = piece;
	m->cap = cap;
	m->len = 0;
	m->away = true;
	l->job.run = run_large;
	l->job.done = done_large;
	disk_give(&m->store->slow, &l->job);
}

static int become_large(struct store_message *m)
{
	struct large *l = calloc(1, sizeof *l);

	if (l == NULL)
		return -1;
	l->fd = -1;
	l->message = m;
	l->store = m->store;
	l->sum = checksum_begin(&m->store->journal.sum);
	if (l->sum == NULL) {
		free_large(l);
		return -1;
	}
	m->id = m->store->next_id++;
	l->file.id = m->id;
	m->large = l;
	return 0;
}

/* A finished one whose last piece the disk may take now, or has taken. */
static void go_on(struct store_message *m)
{
	struct large *l = m->large;

	if (m->error == 0 && !l->last) {
		l->file.about.born = m->about.born;
		l->file.about.uid = m->about.uid;
		l->file.about.pid = m->about.pid;
		l->file.about.envelope = m->about.envelope;
		l->file.about.flags = m->about.flags;
		l->file.about.recipients = m->about.recipients;
		l->file.envelope = malloc(m->about.envelope);
		if (l->file.envelope != NULL) {
			memcpy(l->file.envelope, m->envelope, m->about.envelope);
			give_piece(m, true);
			return;
		}
		m->error = ENOMEM;
	}
	m->about.bytes = l->file.about.bytes;
	if (m->error == 0 && record(m, RECORD_SHELVED) == -1)
		m->error = errno;
	m->large = NULL;
	if (m->error == 0) {
		free_large(l);
		return;
	}
	drop_large(m->store, l);
	fail_later(m);
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static int gather(struct store_message *m, const char *p, size_t n)
{
	if (m->bytes == NULL || m->cap - m->len < n) {
		size_t cap = m->cap == 0 ? FIRST : m->cap;
		char *more;

		while (cap - m->len < n)
			cap *= 2;
		more = realloc(m->bytes, cap);
		if (more == NULL)
			return -1;
		m->bytes = more;
		m->cap = cap;
	}
	memcpy(m->bytes + m->len, p, n);
	m->len += n;
	return 0;
}

bool store_busy(const struct store_message *m)
{
	if (m->large == NULL && m->store->journal.backlog > CONGESTED) {
		m->store->congested = true;
		return true;
	}
	return m->away && m->len >= PIECE;
}

int store_write(struct store_message *m, const void *p, size_t n)
{
	if (m->error == 0 && m->given + m->len + n > UINT32_MAX - PIECE)
		m->error = EMSGSIZE;
	else if (m->error == 0 && gather(m, p, n) == -1)
		m->error = ENOMEM;
	if (m->error == 0 && m->large == NULL && m->len > SMALL_MAX && become_large(m) == -1)
		m->error = ENOMEM;
	if (m->error != 0) {
		errno = m->error;
		return -1;
	}
	if (m->large != NULL && !m->away && m->len >= PIECE)
		give_piece(m, false);
	return 0;
}

static bool is_bounce(const struct envelope *e)
{
	const char *sender = envelope_sender(e);

	return sender[0] == '\0' || strcmp(sender, "#@[]") == 0;
}

void store_finish(struct store_message *m, const struct envelope *e, const struct store_origin *from)
{
	m->finished = true;
	m->about = (struct record_message){ .born = (uint32_t)time(NULL),
		.uid = from->uid,
		.pid = (uint32_t)from->pid,
		.flags = is_bounce(e) ? TABLE_BOUNCE : 0,
		.recipients = (uint32_t)e->recipients,
		.envelope = (uint32_t)e->len,
		.bytes = (uint32_t)m->len };
	m->envelope = malloc(e->len);
	if (m->envelope == NULL)
		m->error = ENOMEM;
	else
		memcpy(m->envelope, e->bytes, e->len);
	if (m->large != NULL) {
		if (!m->away)
			go_on(m);
		return;
	}
	m->id = m->store->next_id++;
	if (m->error == 0 && record(m, RECORD_MESSAGE) == -1)
		m->error = errno;
	if (m->error != 0)
		fail_later(m);
}
