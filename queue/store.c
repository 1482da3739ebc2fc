#include "queue/store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "queue/shelf.h"
#include "queue/store_inside.h"

enum {
	SEGMENT_BYTES = 32 << 20,
	MARKS_MS =
		50, /* what is said of recipients may be lost for so long: they are tried once more then */
	FULL_MS = 1000
};

void store_say(struct store *s, const char *format, ...)
{
	char line[STORE_LINE];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	s->events.say(s->events.arg, line);
}

void store_wake(struct store *s)
{
	const uint64_t one = 1;

	while (write(s->wake, &one, sizeof one) == -1 && errno == EINTR)
		;
}

/* ---- small records ----------------------------------------------------------------------------------------- */

/* It may wait for a message's flush, but not for ever. */
static void wait_a_little(struct store *s)
{
	if (s->marks_ms == CLOCK_NEVER)
		s->marks_ms = clock_ms() + MARKS_MS;
}

static void put(struct store *s, enum record_kind kind, uint64_t id, const void *p, size_t n)
{
	char *room = journal_room(&s->journal, n);

	if (room == NULL) /* the table is right all the same; a snapshot will say so */
		return;
	if (n > 0)
		memcpy(room, p, n);
	journal_put(&s->journal, kind, id, n);
	wait_a_little(s);
}

/* ---- opening -------------------------------------------------------------------------------------------- */

static int open_folder(int dir, const char *name)
{
	if (mkdirat(dir, name, 0700) == -1 && errno != EEXIST)
		return -1;
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* One process owns it, and whoever comes second learns which. */
static int take_lock(struct store *s, char *why, size_t n)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock == -1) {
		snprintf(why, n, "unable to open lock: %s", strerror(errno));
		return -1;
	}
	if (fcntl(s->lock, F_SETLK, &l) == 0)
		return 0;
	if ((errno == EAGAIN || errno == EACCES) && fcntl(s->lock, F_GETLK, &l) == 0 && l.l_type != F_UNLCK)
		snprintf(why, n, "process %ld has this queue already", (long)l.l_pid);
	else
		snprintf(why, n, "unable to lock: %s", strerror(errno));
	errno = EBUSY;
	return -1;
}

static int open_folders(struct store *s, const char *directory, char *why, size_t n)
{
	s->dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir == -1) {
		snprintf(why, n, "unable to open %s: %s", directory, strerror(errno));
		return -1;
	}
	if (take_lock(s, why, n) == -1)
		return -1;
	s->log_dir = open_folder(s->dir, "log");
	s->shelf_dir = s->log_dir == -1 ? -1 : open_folder(s->dir, "shelf");
	if (s->shelf_dir != -1 && shelf_folders(s->shelf_dir) == 0 && fsync(s->dir) == 0)
		return 0;
	snprintf(why, n, "unable to make log and shelf: %s", strerror(errno));
	return -1;
}

static int open_threads(struct store *s)
{
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake == -1 || disk_open(&s->flush, s->wake, s) == -1)
		return -1;
	if (disk_open(&s->slow, s->wake, s) == 0)
		return 0;
	disk_close(&s->flush);
	return -1;
}

static void close_descriptors(struct store *s)
{
	const int fds[] = { s->wake, s->log_dir, s->shelf_dir, s->lock, s->dir };

	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

struct store *store_open(const char *directory, const struct store_options *o, struct table *t,
	const struct store_events *e, char *why, size_t why_size)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL) {
		snprintf(why, why_size, "%s", strerror(errno));
		return NULL;
	}
	*s = (struct store){ .dir = -1,
		.log_dir = -1,
		.shelf_dir = -1,
		.lock = -1,
		.wake = -1,
		.table = t,
		.events = *e,
		.floor_bytes = o->floor_bytes,
		.marks_ms = CLOCK_NEVER };
	if (open_folders(s, directory, why, why_size) == 0 &&
		store_recover(s, o->segment_bytes == 0 ? SEGMENT_BYTES : o->segment_bytes, why, why_size) ==
			0) {
		if (open_threads(s) == 0) {
			/* a number that the next start sees, whatever becomes of us: ours lie behind it */
			put(s, RECORD_END, s->next_id++, NULL, 0);
			return s;
		}
		snprintf(why, why_size, "unable to start a thread: %s", strerror(errno));
	}
	journal_close(&s->journal);
	close_descriptors(s);
	free(s);
	return NULL;
}

/* ---- a turn --------------------------------------------------------------------------------------------- */

int store_fd(const struct store *s)
{
	return s->wake;
}

int store_timeout_ms(const struct store *s)
{
	const int marks = clock_left_ms(s->marks_ms);

	return s->full && (marks == -1 || marks > FULL_MS) ? FULL_MS : marks;
}

static void look_at_space(struct store *s, int64_t now_ms)
{
	struct statvfs v;

	if (now_ms < s->full_ms)
		return;
	s->full_ms = now_ms + FULL_MS;
	if (fstatvfs(s->dir, &v) == -1)
		return;
	s->full = (uint64_t)v.f_bavail * v.f_frsize < s->floor_bytes;
}

static void drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof count) == -1)
		errno = 0; /* nothing was there */
}

void store_turn(struct store *s)
{
	const int64_t now_ms = clock_ms();

	drain(s->wake);
	disk_turn(&s->flush);
	disk_turn(&s->slow);
	store_message_turn(s);
	look_at_space(s, now_ms);
	checkpoint_turn(s, s->closing);
	if (!s->closing)
		sweep_turn(s);
	/* one at a time: what comes while it is written shares the next flush */
	if (s->journal.in_flight == 0 && journal_fills(&s->journal) &&
		(s->eager || now_ms >= s->marks_ms)) {
		s->eager = false;
		s->marks_ms = CLOCK_NEVER;
		journal_write(&s->journal);
	}
	journal_prepare(&s->journal, now_ms);
}

static bool is_busy(const struct store *s)
{
	return s->journal.in_flight > 0 || journal_fills(&s->journal) || checkpoint_busy(s);
}

void store_close(struct store *s)
{
	s->closing = true;
	s->marks_ms = 0;
	do {
		struct pollfd p = { .fd = s->wake, .events = POLLIN };

		store_turn(s);
		if (is_busy(s) && poll(&p, 1, 100) == -1)
			errno = 0;
	} while (is_busy(s));
	disk_close(&s->flush);
	disk_close(&s->slow);
	checkpoint_close(s);
	journal_close(&s->journal);
	close_descriptors(s);
	free(s);
}

/* ---- what is queued ------------------------------------------------------------------------------------- */

void store_leaves(struct store *s, uint64_t place)
{
	struct segment *segment = journal_segment(&s->journal, journal_segment_of(place));

	if (segment != NULL)
		segment->live--;
}

uint32_t store_row(struct store *s, uint64_t id, const struct record_message *about, const char *envelope)
{
	struct envelope e = { .bytes = (char *)envelope, .cap = about->envelope };
	struct message *m;
	const char *to;
	uint32_t row;

	if (envelope_check(&e, about->envelope) != ENVELOPE_WHOLE || e.recipients != about->recipients) {
		errno = EBADMSG;
		return 0;
	}
	row = table_add(s->table, id, about->recipients);
	if (row == 0)
		return 0;
	m = table_message(s->table, row);
	m->bytes = about->bytes;
	m->born = about->born;
	m->sender = table_hash(s->table, envelope_sender(&e));
	m->flags = (uint16_t)about->flags;
	to = NULL;
	for (uint32_t each = m->recipients; each != 0;) {
		struct recipient *r = table_recipient(s->table, each);

		to = envelope_next(&e, to);
		r->hop = table_hash_domain(s->table, to);
		r->due = about->born;
		each = r->next;
	}
	return row;
}

bool store_split(
	const struct record *r, struct record_message *about, const char **envelope, const char **message)
{
	size_t length;

	if (r->length < sizeof *about)
		return false;
	memcpy(about, r->payload, sizeof *about);
	length = sizeof *about + (size_t)about->envelope + (r->kind == RECORD_MESSAGE ? about->bytes : 0);
	*envelope = r->payload + sizeof *about;
	*message = *envelope + about->envelope;
	return r->length == length;
}

static int in_memory(const char *p, size_t n)
{
	const int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fs_write_all(fd, p, n) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	close(fd);
	return -1;
}

static int read_logged(struct store *s, const struct message *m, struct store_content *c)
{
	const struct segment *segment = journal_segment(&s->journal, journal_segment_of(m->place));
	struct record r;
	struct record_message about;
	const char *envelope, *message;
	char *memory;

	if (segment == NULL) {
		errno = EBADMSG;
		return -1;
	}
	if (journal_read(&s->journal, segment->fd, segment->number, journal_offset_of(m->place), &r,
		    &memory) == -1)
		return -1;
	if (r.id != m->id || r.kind != RECORD_MESSAGE || !store_split(&r, &about, &envelope, &message)) {
		free(memory);
		errno = EBADMSG;
		return -1;
	}
	c->from = (struct store_origin){ .uid = about.uid, .pid = (pid_t)about.pid };
	c->memory = memory;
	c->envelope = (struct envelope){ .bytes = memory + (envelope - memory), .cap = about.envelope };
	c->message = in_memory(message, about.bytes);
	return c->message;
}

static int read_shelved(struct store *s, const struct message *m, struct store_content *c)
{
	struct shelf_file f;

	c->message = shelf_open(s->shelf_dir, m->id, &s->journal.sum, &f);
	if (c->message != -1 && shelf_verify(c->message, &s->journal.sum, &f) == -1) {
		close(c->message);
		c->message = -1;
	}
	c->memory = f.envelope;
	c->from = (struct store_origin){ .uid = f.about.uid, .pid = (pid_t)f.about.pid };
	c->envelope = (struct envelope){ .bytes = f.envelope, .cap = f.about.envelope };
	return c->message;
}

int store_read(struct store *s, uint32_t message, struct store_content *c)
{
	const struct message *m = table_message(s->table, message);
	int saved;

	*c = (struct store_content){ .message = -1 };
	if ((m->flags & TABLE_SHELVED ? read_shelved(s, m, c) : read_logged(s, m, c)) != -1) {
		if (envelope_check(&c->envelope, c->envelope.cap) == ENVELOPE_WHOLE)
			return 0;
		errno = EBADMSG;
	}
	saved = errno;
	store_release(c);
	errno = saved;
	return -1;
}

void store_release(struct store_content *c)
{
	if (c->message != -1)
		close(c->message);
	free(c->memory);
	c->message = -1;
	c->memory = NULL;
}

/* ---- what becomes of it --------------------------------------------------------------------------------- */

void store_mark(struct store *s, uint32_t message, uint32_t recipient, uint32_t number)
{
	const struct recipient *r = table_recipient(s->table, recipient);
	const struct record_state state = {
		.number = number, .due = r->due, .tries = r->tries, .state = r->state
	};

	put(s, RECORD_STATE, table_message(s->table, message)->id, &state, sizeof state);
}

void store_mark_message(struct store *s, uint32_t message)
{
	const struct message *m = table_message(s->table, message);
	const struct record_flags flags = { .flags = m->flags & (TABLE_HELD | TABLE_BOUNCE) };

	put(s, RECORD_FLAGS, m->id, &flags, sizeof flags);
}

/* Its file goes when the log says for good that it is not needed. */
struct unshelve {
	struct journal_waiter waiter;
	uint64_t id;
};

static void may_go(struct journal_waiter *w, void *arg, int error)
{
	struct unshelve *u = (struct unshelve *)w;

	if (error == 0)
		store_unshelve(arg, u->id);
	free(u);
}

static void unshelve_later(struct store *s, uint64_t id)
{
	struct unshelve *u = calloc(1, sizeof *u);

	if (u == NULL || s->journal.filling == NULL) { /* the next start finds it */
		free(u);
		return;
	}
	u->id = id;
	u->waiter.settled = may_go;
	u->waiter.stays = true;
	journal_wait(&s->journal, &u->waiter);
}

void store_end(struct store *s, uint32_t message)
{
	const struct message *m = table_message(s->table, message);
	const uint64_t id = m->id;

	put(s, RECORD_END, id, NULL, 0);
	if (m->flags & TABLE_SHELVED)
		unshelve_later(s, id);
	else
		store_leaves(s, m->place);
	table_remove(s->table, message);
}

struct removal {
	struct disk_job job;
	int shelf;
	uint64_t id;
};

static void remove_file(struct disk_job *job)
{
	const struct removal *r = (const struct removal *)job;

	shelf_remove(r->shelf, r->id);
}

static void removed(struct disk_job *job, void *arg)
{
	(void)arg;
	free(job);
}

void store_unshelve(struct store *s, uint64_t id)
{
	struct removal *r = calloc(1, sizeof *r);

	if (r == NULL)
		return; /* the next start finds it */
	r->shelf = s->shelf_dir;
	r->id = id;
	r->job.run = remove_file;
	r->job.done = removed;
	disk_give(&s->slow, &r->job);
}
