/* queue-maildir - a queue program that delivers at once, into one Maildir: queue-maildir(8). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/str.h"
#include "queue/door.h"
#include "queue/maildir.h"

enum {
	HELD_MAX = 256 * 1024, /* a message up to this size waits in memory for its envelope */
	COPY = 64 * 1024,
	ENVELOPE_BYTES = 4 * 1024 * 1024,
	LIFE_S = 24 * 60 * 60 /* as qmail-queue: whoever hands in slower is dead */
};

static char held[HELD_MAX]; /* pages that no message reaches cost nothing */
static char envelope_bytes[ENVELOPE_BYTES];
static struct maildir box;

static _Noreturn void fail(enum door_exit code, const char *what)
{
	int saved = errno;

	maildir_abandon(&box);
	warn("%s: %s", what, strerror(saved));
	_exit((int)code);
}

static void on_alarm(int sig)
{
	(void)sig;
	_exit(DOOR_TIMEOUT); /* the file in tmp/ is left to whoever cleans Maildirs: 36 h, maildir(5) */
}

static size_t read_full(char *p, size_t cap)
{
	size_t have = 0;

	while (have < cap) {
		ssize_t n = door_read_message(p + have, cap - have);

		if (n == -1)
			fail(DOOR_READ, "unable to read message");
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return have;
}

static void put(int fd, const char *p, size_t n)
{
	if (fs_write_all(fd, p, n) == -1)
		fail(DOOR_WRITE, "unable to write message");
}

/* The envelope, which the first lines of the file are made of, comes after the message: what is too large
 * for memory waits in a file without a name. Returns its descriptor. */
static int spill(size_t have)
{
	struct maildir side = box;

	if (maildir_create(&side) == -1)
		fail(DOOR_FILES, "unable to create a file in tmp");
	unlinkat(side.dir, side.name, 0);
	do
		put(side.fd, held, have);
	while ((have = read_full(held, sizeof held)) > 0);
	return side.fd;
}

static void copy_back(int from, int to)
{
	loff_t at = 0;
	ssize_t n;

	while ((n = copy_file_range(from, &at, to, NULL, 1 << 30, 0)) > 0)
		;
	if (n == 0)
		return;
	/* not between these file systems: by hand, from where it stopped */
	while ((n = pread(from, held, sizeof held, at)) > 0) {
		put(to, held, (size_t)n);
		at += n;
	}
	if (n == -1)
		fail(DOOR_READ, "unable to read message again");
}

/* A line end in an address would end the field: it becomes '_', as in qmail-local. */
static void put_field(struct str *head, const char *name, const char *address, const char *end)
{
	size_t start;

	str_puts(head, name);
	start = head->len;
	str_puts(head, address);
	for (size_t i = start; i < head->len; i++)
		if (head->s[i] == '\n')
			head->s[i] = '_';
	str_puts(head, end);
}

static void put_head(int fd, const struct envelope *e)
{
	char memory[ENVELOPE_ADDRESS_MAX + 64];
	struct str head;

	str_init(&head, memory, sizeof memory);
	put_field(&head, "Return-Path: <", envelope_sender(e), ">\n");
	put(fd, head.s, head.len);
	for (const char *to = envelope_next(e, NULL); to != NULL; to = envelope_next(e, to)) {
		str_reset(&head);
		put_field(&head, "Delivered-To: ", to, "\n");
		put(fd, head.s, head.len);
	}
}

static void deliver(const struct envelope *e, size_t have, int spilled)
{
	if (maildir_create(&box) == -1)
		fail(DOOR_FILES, "unable to create a file in tmp");
	put_head(box.fd, e);
	if (spilled == -1)
		put(box.fd, held, have);
	else
		copy_back(spilled, box.fd);
	if (maildir_commit(&box) == -1)
		fail(DOOR_WRITE, "unable to keep the message in new");
}

#define USAGE "queue-maildir: usage: queue-maildir maildir\n"

static const char help[] =
	USAGE "Takes one message by the qmail-queue protocol (message on descriptor 0, envelope on 1)\n"
	      "and delivers it into maildir, which must exist. See queue-maildir(8).\n"
	      "  --help      this text\n"
	      "  --version   the version of portero\n";

int main(int argc, char **argv)
{
	struct envelope e;
	enum door_exit got;
	size_t have;
	int spilled = -1;

	err_name("queue-maildir");
	err_option(argc, argv, help);
	if (argc != 2)
		die_usage(USAGE);
	umask(077);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write error */
	signal(SIGALRM, on_alarm);
	alarm(LIFE_S);
	if (maildir_open(&box, argv[1]) == -1)
		fail(DOOR_FILES, argv[1]);
	have = read_full(held, sizeof held);
	if (have == sizeof held)
		spilled = spill(have);
	envelope_init(&e, envelope_bytes, sizeof envelope_bytes);
	got = door_read_envelope(&e);
	if (got != DOOR_KEPT)
		_exit((int)got);
	if (e.recipients > 0) /* a message for nobody is taken, and goes to nobody, as in qmail */
		deliver(&e, have, spilled);
	_exit(DOOR_KEPT);
}
