/* store_driver.c - hands messages to the store, and says what it was promised and what is there.
 *
 *   store_driver work DIR SEGMENT MESSAGES WRITERS [SMALL [LARGE]]
 *           so many messages, WRITERS of them at a time, in a log whose segments have SEGMENT bytes. Two of three
 *           are removed again. They are below SMALL bytes (6000), but one of LARGE (24; 0: none), which is for the shelf
 *   store_driver hold ...    the same, and none is removed
 *   store_driver leave ...   the same as hold, and there is no clean end
 *   store_driver check DIR SEGMENT
 *           what is there, twice: the second time as a start after a clean end finds it
 *   store_driver list DIR SEGMENT
 *           the same, once, with the store's number behind it; no clean end
 *
 * The lines that it writes are those of tests/promises.py. ID is in the message's text, in the first line that is not a
 * Received; SIZE and SUM (crc32) are of what begins there, the sum also of the envelope. A store that has refused a message
 * must take one again within RECOVER_MS: else work and hold end with 1. What the store has to say goes to standard error. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "queue/store.h"

#define HEAD "Received: by a test\n"
enum {
	PIECE = 16 * 1024,
	LARGE_BYTES = 200 * 1024, /* goes to the shelf at once */
	LARGE_EACH = 24,          /* one of so many is */
	SMALL_MAX = 6000,
	PATIENCE = 1000, /* tries to write a line, should somebody make system calls fail */
	AGAIN_MS = 100,  /* after a refusal */
	RECOVER_MS = 20 * 1000,
	WRITERS_MAX = 64,
	RECIPIENTS = 2,
	SPARE_ROWS = 1 + RECOVER_MS / AGAIN_MS
};

static const uint8_t table_key_bytes[TABLE_KEY]; /* any will do: what is on disk brings its own */
/* The usual one, of zlib and others; 0 begins. */
static uint32_t crc32(uint32_t sum, const void *p, size_t n)
{
	const unsigned char *s = p;

	sum = ~sum;
	for (size_t i = 0; i < n; i++) {
		sum ^= s[i];
		for (int bit = 0; bit < 8; bit++)
			sum = (sum >> 1) ^ (sum & 1 ? 0xedb88320 : 0);
	}
	return ~sum;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "store_driver: %s: %s\n", what, strerror(errno));
	exit(111);
}

/* One write(2) a line: whoever reads it knows when it was. */
static void line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void line(const char *format, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	for (int i = 0; fs_write_all(1, text, (size_t)n) == -1; i++)
		if (i == PATIENCE)
			fail("standard output");
}

/* ---- a message: all of it follows from its id ----------------------------------------------------------- */

struct text {
	char bytes[LARGE_BYTES + 64];
	size_t len;
	char memory[256];
	struct envelope envelope;
	uint32_t sum; /* of the text, and of the envelope */
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static void text_make(struct text *t, uint64_t id, size_t small, uint64_t large)
{
	const size_t want = large != 0 && id % large == 0 ? LARGE_BYTES : mix(id) % small;
	char address[64];

	t->len = (size_t)sprintf(t->bytes, "id %" PRIu64 "\n\n", id);
	for (uint64_t n = 0; t->len < want; n++)
		t->len += (size_t)sprintf(t->bytes + t->len, "%016" PRIx64 "\n", mix(id << 20 | n));
	envelope_init(&t->envelope, t->memory, sizeof t->memory);
	snprintf(address, sizeof address, "sender-%" PRIu64 "@a.example", id);
	bool ok = envelope_start(&t->envelope, address);
	for (int i = 0; i < RECIPIENTS; i++) {
		snprintf(address, sizeof address, "recipient-%" PRIu64 "-%d@b.example", id, i);
		ok = ok && envelope_add(&t->envelope, address);
	}
	if (!ok || !envelope_finish(&t->envelope))
		fail("envelope");
	t->sum = crc32(crc32(0, t->bytes, t->len), t->envelope.bytes, t->envelope.len);
}

/* ---- work ----------------------------------------------------------------------------------------------- */

struct writer {
	struct work *work;
	uint64_t id;                   /* 0: idle */
	struct store_message *message; /* NULL: all of it was written */
	struct text text;
	size_t written;
};

struct work {
	struct store *store;
	struct table *table;
	uint64_t next, last;
	size_t small;
	uint64_t large;
	int64_t recover_ms; /* when a message must be kept again; 0: none was refused since */
	int64_t again_ms;   /* when the next one is handed in */
	size_t at_once, busy;
	bool removes, leaves;
	uint64_t *rows; /* kept, and to be removed some time: row << 32 | id */
	size_t count;
	uint64_t *gone; /* ids */
	size_t gone_count;
	struct writer writers[WRITERS_MAX];
};

static void idle(struct writer *w)
{
	w->id = 0;
	w->work->busy--;
}

static void kept(
	void *arg, void *owner, uint32_t message, const struct envelope *e, const struct store_origin *from)
{
	struct work *work = arg;
	struct writer *w = owner;

	(void)e;
	(void)from;
	line("+ %" PRIu64 "\n", w->id);
	work->recover_ms = 0;
	if (work->removes && w->id % 3 != 0)
		work->rows[work->count++] = (uint64_t)message << 32 | w->id;
	idle(w);
}

static void lost(void *arg, void *owner, int error)
{
	struct work *work = arg;
	struct writer *w = owner;

	line("! %" PRIu64 " %s\n", w->id, strerror(error));
	if (work->recover_ms == 0)
		work->recover_ms = clock_ms() + RECOVER_MS;
	work->again_ms = clock_ms() + AGAIN_MS;
	w->message = NULL;
	idle(w);
}

static void ready(void *arg, void *owner)
{
	(void)arg;
	(void)owner; /* each is asked each turn */
}

static void say(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static void refused(struct writer *w, int error)
{
	lost(w->work, w, error);
}

static void start(struct writer *w)
{
	struct work *work = w->work;

	w->id = work->next++;
	work->busy++;
	w->written = 0;
	text_make(&w->text, w->id, work->small, work->large);
	line("? %" PRIu64 " %zu %08" PRIx32 "\n", w->id, w->text.len, w->text.sum);
	w->message = store_begin(work->store, w, HEAD, strlen(HEAD));
	if (w->message == NULL)
		refused(w, errno);
}

static void go_on(struct writer *w)
{
	const struct store_origin from = { .uid = 1, .pid = 2 };

	while (w->message != NULL && !store_busy(w->message) && w->written < w->text.len) {
		size_t n = w->text.len - w->written;

		if (n > PIECE)
			n = PIECE;
		if (store_write(w->message, w->text.bytes + w->written, n) == -1) {
			const int error = errno;

			store_abandon(w->message);
			w->message = NULL;
			refused(w, error);
			return;
		}
		w->written += n;
	}
	if (w->message != NULL && w->written == w->text.len && !store_busy(w->message)) {
		struct store_message *m = w->message;

		w->message = NULL; /* before it is asked: kept may come soon */
		store_finish(m, &w->text.envelope, &from);
	}
}

/* One recipient is served now, later all are, and the message goes. */
static void remove_one(struct work *work, size_t i)
{
	const uint32_t row = (uint32_t)(work->rows[i] >> 32);
	const uint64_t id = work->rows[i] & UINT32_MAX;
	const uint32_t each = table_message(work->table, row)->recipients;
	struct recipient *r = table_recipient(work->table, each);

	if (r->state == TABLE_TODO) {
		r->state = TABLE_DONE;
		r->tries = 1;
		store_mark(work->store, row, each, 0);
		return;
	}
	line("- %" PRIu64 "\n", id);
	store_end(work->store, row);
	work->gone[work->gone_count++] = id;
	work->rows[i] = work->rows[--work->count];
}

/* More than was asked for, when the last ones were refused: one must be kept. */
static bool wants_more(const struct work *work)
{
	if (work->next <= work->last)
		return clock_ms() >= work->again_ms;
	return work->recover_ms != 0 && work->busy == 0 && clock_ms() >= work->again_ms;
}

static void turn(struct work *work)
{
	for (size_t i = 0; i < work->at_once; i++) {
		struct writer *w = &work->writers[i];

		if (w->id == 0 && wants_more(work))
			start(w);
		if (w->message != NULL)
			go_on(w);
	}
	for (size_t i = 0; i < work->count; i++)
		if (mix(work->next + i) % 8 == 0)
			remove_one(work, i);
	store_turn(work->store);
}

static int wait_ms(const struct work *work)
{
	const int ms = store_timeout_ms(work->store);

	if (work->busy < work->at_once && wants_more(work))
		return 0;
	return ms == -1 || ms > 20 ? 20 : ms; /* a writer that may go on is seen then */
}

static void work_all(struct work *work, const char *dir, uint64_t segment)
{
	const struct store_events events = { work, kept, lost, ready, say };
	const struct store_options o = { .segment_bytes = segment };
	char why[512];

	work->table = table_open(table_key_bytes);
	work->rows = calloc(work->last + SPARE_ROWS, sizeof *work->rows);
	work->gone = calloc(work->last + SPARE_ROWS, sizeof *work->gone);
	if (work->table == NULL || work->rows == NULL || work->gone == NULL)
		fail("memory");
	work->store = store_open(dir, &o, work->table, &events, why, sizeof why);
	if (work->store == NULL) {
		fprintf(stderr, "store_driver: %s\n", why);
		exit(111);
	}
	for (size_t i = 0; i < work->at_once; i++)
		work->writers[i].work = work;
	line("begin\n");
	while (work->next <= work->last || work->busy > 0 || work->recover_ms != 0) {
		struct pollfd p = { .fd = store_fd(work->store), .events = POLLIN };

		turn(work);
		if (poll(&p, 1, wait_ms(work)) == -1)
			errno = 0; /* a test may make it fail: then we look without it */
		if (work->recover_ms != 0 && clock_ms() > work->recover_ms) {
			fputs("store_driver: it does not recover\n", stderr);
			exit(1);
		}
	}
	line("end\n");
	if (work->leaves)
		return;
	store_close(work->store);
	table_close(work->table);
	for (size_t i = 0; i < work->gone_count; i++)
		line("x %" PRIu64 "\n", work->gone[i]);
	free(work->rows);
	free(work->gone);
}

/* ---- what is there -------------------------------------------------------------------------------------- */

static char *read_all(int fd, size_t *len)
{
	const size_t cap = (size_t)LARGE_BYTES * 2;
	char *p = malloc(cap);
	ssize_t n;

	*len = 0;
	if (p == NULL)
		fail("memory");
	while ((n = read(fd, p + *len, cap - *len - 1)) > 0)
		*len += (size_t)n;
	p[*len] = '\0';
	return n == 0 ? p : NULL;
}

/* Where the line of the id begins; NULL: it is none of ours. What is before it are Received lines. */
static const char *text_of(const char *p)
{
	while (strncmp(p, "id ", 3) != 0) {
		if (strncmp(p, "Received: ", 10) != 0 && *p != ' ')
			return NULL;
		p = strchr(p, '\n');
		if (p == NULL)
			return NULL;
		p++;
	}
	return p;
}

static void show(struct store *s, struct table *t, uint32_t row, bool number, FILE *out)
{
	const struct message *m = table_message(t, row);
	struct store_content c;
	const char *text = NULL;
	size_t len;
	char *p;

	if (store_read(s, row, &c) == -1) {
		fprintf(out, "unreadable number %" PRIu64 " %s\n", m->id, strerror(errno));
		return;
	}
	p = read_all(c.message, &len);
	if (p != NULL)
		text = text_of(p);
	if (text == NULL || m->bytes != len)
		fprintf(out, "strange number %" PRIu64 "\n", m->id);
	else {
		const size_t n = len - (size_t)(text - p);
		const uint32_t sum = crc32(crc32(0, text, n), c.envelope.bytes, c.envelope.len);

		fprintf(out, "%" PRIu64 " %zu %08" PRIx32, (uint64_t)strtoull(text + 3, NULL, 10), n, sum);
		if (number)
			fprintf(out, " number %" PRIu64, m->id);
		fputc('\n', out);
	}
	free(p);
	store_release(&c);
}

/* All of it, in a string. */
static char *look(const char *dir, uint64_t segment, bool number, bool clean)
{
	const struct store_events events = { NULL, kept, lost, ready, say };
	const struct store_options o = { .segment_bytes = segment };
	struct table *t = table_open(table_key_bytes);
	char why[512], *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	struct store *s;

	if (t == NULL || out == NULL)
		fail("memory");
	s = store_open(dir, &o, t, &events, why, sizeof why);
	if (s == NULL) {
		fprintf(stderr, "store_driver: %s\n", why);
		exit(111);
	}
	for (uint32_t row = 0; (row = table_each(t, row)) != 0;)
		show(s, t, row, number, out);
	fclose(out);
	if (clean) {
		store_close(s);
		table_close(t);
	}
	return text;
}

static int order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines in order, for a comparison: the table has none. */
static char *sorted(char *text)
{
	size_t n = 0, len = strlen(text);
	char **lines = calloc(len + 1, sizeof *lines);
	char *all = malloc(len + 2), *to = all;

	if (lines == NULL || all == NULL)
		fail("memory");
	for (char *p = strtok(text, "\n"); p != NULL; p = strtok(NULL, "\n"))
		lines[n++] = p;
	qsort(lines, n, sizeof *lines, order);
	for (size_t i = 0; i < n; i++)
		to += sprintf(to, "%s\n", lines[i]);
	*to = '\0';
	free(lines);
	free(text);
	return all;
}

static int check(const char *dir, uint64_t segment)
{
	char *first = sorted(look(dir, segment, false, true));
	char *second = sorted(look(dir, segment, false, true));
	const bool same = strcmp(first, second) == 0;

	if (same)
		fputs(first, stdout);
	else
		fprintf(stderr, "the second start finds something else:\n%s--- was\n%s", second, first);
	free(first);
	free(second);
	return same ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *what = argc < 4 ? "" : argv[1];

	if (strcmp(what, "check") == 0)
		return check(argv[2], strtoull(argv[3], NULL, 10));
	if (strcmp(what, "list") == 0) {
		fputs(look(argv[2], strtoull(argv[3], NULL, 10), true, false), stdout);
		return 0;
	}
	if (argc >= 6 &&
		(strcmp(what, "work") == 0 || strcmp(what, "hold") == 0 || strcmp(what, "leave") == 0)) {
		static struct work work;

		work.next = 1;
		work.last = strtoull(argv[4], NULL, 10);
		work.at_once = strtoull(argv[5], NULL, 10);
		work.small = argc > 6 ? strtoull(argv[6], NULL, 10) : SMALL_MAX;
		work.large = argc > 7 ? strtoull(argv[7], NULL, 10) : LARGE_EACH;
		work.removes = strcmp(what, "work") == 0;
		work.leaves = strcmp(what, "leave") == 0;
		if (work.at_once > WRITERS_MAX)
			work.at_once = WRITERS_MAX;
		work_all(&work, argv[2], strtoull(argv[3], NULL, 10));
		return 0;
	}
	fputs("store_driver: usage: see its first lines\n", stderr);
	return 100;
}
