/* The store, on a real directory: what is kept, what a start finds again, and what damage costs. */
#include "queue/store.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/numbers.h"
#include "tests/unit/tap.h"

enum { SEGMENT = 64 * 1024, MANY = 4096 };

struct bench {
	char directory[64];
	struct table *table;
	struct store *store;
	unsigned kept, lost, said;
	uint64_t ids[512]; /* of those that were kept */
	int error;         /* of the last that was lost */
	char line[256];    /* the last that was said */
	char why[128];
};

static void on_kept(
	void *arg, void *owner, uint32_t message, const struct envelope *e, const struct store_origin *from)
{
	struct bench *b = arg;

	(void)owner;
	(void)e;
	(void)from;
	b->ids[b->kept++] = table_message(b->table, message)->id;
}

static void on_lost(void *arg, void *owner, int error)
{
	struct bench *b = arg;

	(void)owner;
	b->lost++;
	b->error = error;
}

static void on_ready(void *arg, void *owner)
{
	(void)arg;
	(void)owner;
}

static void on_say(void *arg, const char *line)
{
	struct bench *b = arg;

	b->said++;
	snprintf(b->line, sizeof b->line, "%s", line);
}

static bool start(struct bench *b)
{
	const struct store_events e = {
		.arg = b, .kept = on_kept, .lost = on_lost, .ready = on_ready, .say = on_say
	};
	const struct store_options o = { .segment_bytes = SEGMENT };

	b->said = 0;
	b->table = table_open(NULL);
	b->store = store_open(b->directory, &o, b->table, &e, b->why, sizeof b->why);
	return b->store != NULL;
}

static void end(struct bench *b)
{
	store_close(b->store);
	table_close(b->table);
}

static void step(struct bench *b)
{
	struct pollfd p = { .fd = store_fd(b->store), .events = POLLIN };

	store_turn(b->store);
	if (poll(&p, 1, 20) == -1)
		abort();
}

static void text_of(char *text, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + (seed + i * 7 + i / 61) % 26);
}

static void hand_in(struct bench *b, size_t bytes, const char *recipients[], size_t count, unsigned seed)
{
	const struct store_origin from = { .uid = 1000, .pid = 4711 };
	char envelope_bytes[8192], *text = malloc(bytes + 1);
	struct envelope e;
	struct store_message *m = store_begin(b->store, b, "head\n", 5);
	bool ok = m != NULL;

	if (text == NULL)
		abort();
	text_of(text, bytes, seed);
	for (size_t at = 0; ok && at < bytes; at += MANY) {
		while (store_busy(m))
			step(b);
		ok = store_write(m, text + at, bytes - at < MANY ? bytes - at : MANY) == 0;
	}
	envelope_init(&e, envelope_bytes, sizeof envelope_bytes);
	ok = ok && envelope_start(&e, "s@client.example");
	for (size_t i = 0; i < count; i++)
		ok = ok && envelope_add(&e, recipients[i]);
	ok = ok && envelope_finish(&e);
	if (!ok)
		abort();
	store_finish(m, &e, &from);
	free(text);
}

static bool settle(struct bench *b, unsigned kept)
{
	for (int i = 0; i < 500 && b->kept + b->lost < kept; i++)
		step(b);
	return b->kept == kept;
}

static bool is_whole(struct bench *b, uint32_t row, size_t bytes, unsigned seed)
{
	struct store_content c;
	char *expected, *got;
	ssize_t n;
	bool ok;

	if (row == 0 || store_read(b->store, row, &c) == -1)
		return false;
	expected = malloc(bytes + 5);
	got = malloc(bytes + 6);
	if (expected == NULL || got == NULL)
		abort();
	memcpy(expected, "head\n", 5);
	text_of(expected + 5, bytes, seed);
	n = read(c.message, got, bytes + 6);
	ok = n == (ssize_t)bytes + 5 && memcmp(got, expected, (size_t)n) == 0 && c.from.uid == 1000 &&
	     c.from.pid == 4711 && strcmp(envelope_sender(&c.envelope), "s@client.example") == 0;
	store_release(&c);
	free(expected);
	free(got);
	return ok;
}

static unsigned count_files(const struct bench *b, const char *folder)
{
	const int dir = open(b->directory, O_RDONLY | O_DIRECTORY);
	struct numbers found;

	if (numbers_list(dir, folder, &found) == -1)
		abort();

	close(dir);
	free(found.at);
	return (unsigned)found.count;
}

static unsigned count_shelf(const struct bench *b)
{
	unsigned n = 0;
	char folder[16];

	for (unsigned i = 0; i < 256; i++) {
		snprintf(folder, sizeof folder, "shelf/%02x", i);
		n += count_files(b, folder);
	}
	return n;
}

static const char *one[] = { "u@example.org" };
static const char *three[] = { "u@example.org", "v@EXAMPLE.org", "w@other.example" };

static void test_kept(struct bench *b)
{
	uint32_t large;

	tap_ok(start(b), "an empty directory becomes a queue");
	hand_in(b, 1000, one, 1, 1);
	hand_in(b, 0, three, 3, 2);
	tap_ok(b->kept == 0, "nobody is told before it is on the disk");
	tap_ok(settle(b, 2) && table_messages(b->table) == 2, "two are kept");
	tap_ok(is_whole(b, table_find(b->table, b->ids[0]), 1000, 1), "the first as it was");
	tap_ok(is_whole(b, table_find(b->table, b->ids[1]), 0, 2), "the second, which is empty");
	hand_in(b, 1000000, three, 3, 3);
	tap_ok(settle(b, 3), "a large one");
	large = table_find(b->table, b->ids[2]);
	tap_ok(is_whole(b, large, 1000000, 3) && (table_message(b->table, large)->flags & TABLE_SHELVED) &&
			count_shelf(b) == 1,
		"as it was, in a file of the shelf");
	end(b);
}

static void test_found_again(struct bench *b)
{
	struct recipient *r;
	uint32_t row, second;

	tap_ok(start(b) && table_messages(b->table) == 3 && b->said == 0, "all are there after a start");
	tap_ok(is_whole(b, table_find(b->table, b->ids[0]), 1000, 1) &&
			is_whole(b, table_find(b->table, b->ids[2]), 1000000, 3),
		"as they were");
	row = table_find(b->table, b->ids[1]);
	second = table_recipient(b->table, table_message(b->table, row)->recipients)->next;
	r = table_recipient(b->table, second);
	r->tries = 7;
	r->due = 12345;
	r->state = TABLE_DONE;
	store_mark(b->store, row, second, 1);
	store_end(b->store, table_find(b->table, b->ids[2]));
	end(b);
	tap_ok(start(b) && table_messages(b->table) == 2, "one has ended");
	row = table_find(b->table, b->ids[1]);
	r = table_recipient(
		b->table, table_recipient(b->table, table_message(b->table, row)->recipients)->next);
	tap_ok(r->tries == 7 && r->due == 12345 && r->state == TABLE_DONE,
		"a recipient's state is what it was");
	tap_ok(count_shelf(b) == 0, "the file of the one that ended is gone");
	end(b);
}

/* Segments are small here: a few messages fill one. */
static void test_moves(struct bench *b)
{
	unsigned whole = 0;
	const unsigned before = b->kept;

	tap_ok(start(b), "once more");
	for (unsigned i = 0; i < 300; i++) {
		hand_in(b, 5000, one, 1, i);
		if (i % 10 == 9)
			settle(b, before + i + 1);
	}
	tap_ok(settle(b, before + 300), "three hundred are kept");
	for (int i = 0; i < 50; i++)
		step(b);
	tap_ok(count_shelf(b) > 150, "old ones are on the shelf");
	tap_ok(count_files(b, "log") < 20, "the log is short: segments are used again");
	for (unsigned i = 0; i < 300; i++)
		whole += is_whole(b, table_find(b->table, b->ids[before + i]), 5000, i);
	tap_ok(whole == 300, "each of them as it was");
	end(b);
	tap_ok(start(b) && table_messages(b->table) == 302 && b->said == 0, "and after a start");
	whole = 0;
	for (unsigned i = 0; i < 300; i++)
		whole += is_whole(b, table_find(b->table, b->ids[before + i]), 5000, i);
	tap_ok(whole == 300, "each of them as it was, too");
	for (unsigned i = 0; i < 300; i++)
		store_end(b->store, table_find(b->table, b->ids[before + i]));
	end(b);
	tap_ok(start(b) && table_messages(b->table) == 2 && count_shelf(b) <= 2,
		"nothing stays of those that end");
	end(b);
}

/* A process that is killed closes nothing: what a child has done is all that there is. */
static void killed(struct bench *b, void (*work)(struct bench *))
{
	int status = -1;

	fflush(stdout);
	if (fork() == 0) {
		if (start(b))
			work(b);
		_exit(0);
	}
	if (wait(&status) == -1 || status != 0)
		abort();
}

static void hand_in_two(struct bench *b)
{
	hand_in(b, 2000, one, 1, 11);
	hand_in(b, 300000, three, 3, 12);
	if (!settle(b, b->kept + 2))
		_exit(1);
}

static void end_all(struct bench *b)
{
	uint32_t row;

	while ((row = table_each(b->table, 0)) != 0)
		store_end(b->store, row);
	hand_in(b, 10, one, 1, 13); /* what has ended shares its flush */
	if (!settle(b, b->kept + 1))
		_exit(1);
}

static void begin_large(struct bench *b)
{
	struct store_message *m = store_begin(b->store, b, "", 0);
	char text[MANY] = "";

	for (int i = 0; i < 200; i++) {
		while (store_busy(m))
			step(b);
		if (store_write(m, text, sizeof text) == -1)
			_exit(1);
	}
	for (const int64_t end = clock_ms() + 200; clock_ms() < end;)
		step(b);
}

static void test_killed(struct bench *b)
{
	const size_t before = 2;
	unsigned files;

	killed(b, hand_in_two);
	tap_ok(start(b) && table_messages(b->table) == before + 2 && b->said == 0, "a kill loses nothing");
	files = count_shelf(b);
	end(b);
	killed(b, begin_large);
	tap_ok(count_shelf(b) == files + 1, "a kill in the midst of a large message leaves its file");
	tap_ok(start(b) && table_messages(b->table) == before + 2, "which is no message");
	for (int i = 0; i < 400 && count_shelf(b) > files; i++)
		step(b);
	tap_ok(count_shelf(b) == files, "and is removed");
	end(b);
	killed(b, end_all);
	tap_ok(start(b) && table_messages(b->table) == 1, "what has ended stays ended");
	store_end(b->store, table_each(b->table, 0));
	end(b);
}

static void test_lock(struct bench *b)
{
	tap_ok(start(b), "one process has it");
	fflush(stdout);
	if (fork() == 0) {
		struct bench other = *b;
		char expected[64];

		snprintf(expected, sizeof expected, "process %ld has this queue already", (long)getppid());
		_exit(!start(&other) && errno == EBUSY && strcmp(other.why, expected) == 0 ? 0 : 1);
	}
	int status = -1;

	tap_ok(wait(&status) != -1 && status == 0, "a second one is told which");
	end(b);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

int main(void)
{
	struct bench b = { .directory = "/tmp/store_test.XXXXXX" };

	if (mkdtemp(b.directory) == NULL)
		return 1;
	test_kept(&b);
	test_found_again(&b);
	test_moves(&b);
	test_killed(&b);
	test_lock(&b);
	tap_ok(nftw(b.directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, "cleaned up");
	return tap_end();
}
