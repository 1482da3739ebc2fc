/* tcprules - compile rules for tcpserver from standard input into a cdb. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "net/rules.h"
#include "tcprules/rules_text.h"

static const char usage[] = "tcprules: usage: tcprules rules.cdb rules.tmp\n";

static const char help[] = "tcprules: usage: tcprules rules.cdb rules.tmp\n"
			   "Compiles the rules on standard input into rules.cdb, through rules.tmp.\n"
			   "  --help     print this and exit\n"
			   "  --version  print the version and exit\n";

/* What a line needs while it is compiled; grows with the longest one. */
struct work {
	char *line;
	size_t line_room;
	char *data;
	char *key;
	size_t room;
};

static void open_room(struct work *w, size_t line_len)
{
	const size_t room = line_len + RULES_TEXT_KEY;

	if (room <= w->room)
		return;
	w->room = room < SIZE_MAX / 2 ? room * 2 : room;
	free(w->data);
	free(w->key);
	w->data = malloc(w->room);
	w->key = malloc(w->room);
	if (w->data == NULL || w->key == NULL)
		die(EXIT_TEMPORARY, "out of memory");
}

/* The whole line, however long, up to a NUL. */
static _Noreturn void die_bad_line(const char *line, size_t n)
{
	static const char before[] = "tcprules: fatal: unable to parse this line: ";
	const struct iovec parts[] = {
		{ (char *)before, sizeof before - 1 },
		{ (char *)line, strnlen(line, n) },
		{ (char *)"\n", 1 },
	};

	if (writev(2, parts, sizeof parts / sizeof parts[0]) == -1)
		_exit(EXIT_PERMANENT); /* the same, but nobody heard it */
	_exit(EXIT_PERMANENT);
}

static _Noreturn void die_write(const char *temporary)
{
	die(EXIT_TEMPORARY, "unable to write to %s: %s", temporary, errtext(errno));
}

static _Noreturn void die_create(const char *temporary, const char *why)
{
	die(EXIT_TEMPORARY, "unable to create %s: %s", temporary, why);
}

/* A new file of our own. What lies there from an earlier run is taken away first, so that we never write
 * through a symbolic link and never into the rules that we are about to read. */
static int create(const char *temporary)
{
	struct stat there, input;
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd;

	if (lstat(temporary, &there) == 0) {
		if (fstat(0, &input) == 0 && input.st_dev == there.st_dev && input.st_ino == there.st_ino &&
			S_ISREG(there.st_mode))
			die_create(temporary, "it is the input");
		if (S_ISDIR(there.st_mode))
			die_create(temporary, errtext(EISDIR));
		if (!S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode))
			flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC; /* a device is left alone */
		else if (unlink(temporary) == -1)
			die_create(temporary, errtext(errno));
	}
	fd = open(temporary, flags, 0644);
	if (fd == -1)
		die_create(temporary, errtext(errno));
	return fd;
}

static void compile_line(struct work *w, size_t n, struct rules_make *make, const char *temporary)
{
	struct rules_text t;
	struct str data, key;

	n = rules_text_trim(w->line, n);
	open_room(w, n);
	str_init(&data, w->data, w->room);
	str_init(&key, w->key, w->room);
	if (rules_text_parse(w->line, n, &t, &data) != NULL)
		die_bad_line(w->line, n);
	while (rules_text_key(&t, &key)) {
		if (rules_make_add(make, key.s, key.len, data.s, data.len) == -1)
			die_write(temporary);
		str_reset(&key);
	}
}

static void compile(struct rules_make *make, const char *temporary)
{
	struct work w = { 0 };
	ssize_t n;

	errno = 0;
	while ((n = getline(&w.line, &w.line_room, stdin)) != -1)
		compile_line(&w, (size_t)n, make, temporary);
	if (!feof(stdin))
		die(EXIT_TEMPORARY, "unable to read input: %s", errtext(errno));
	free(w.line);
	free(w.data);
	free(w.key);
}

int main(int argc, char **argv)
{
	struct rules_make *make;
	const char *target, *temporary;
	/* a closed input is not an empty one: that would be a rule set that lets everybody in */
	const bool has_input = fcntl(0, F_GETFD) != -1;
	int fd;

	err_name("tcprules");
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	err_option(argc, argv, help);
	if (argc < 3 || strncmp(argv[1], "--", 2) == 0)
		die_usage(usage);
	target = argv[1];
	temporary = argv[2];

	fd = create(temporary);
	if (!has_input)
		die(EXIT_TEMPORARY, "unable to read input: %s", errtext(EBADF));
	make = rules_make_open(fd);
	if (make == NULL)
		die_write(temporary);
	compile(make, temporary);
	if (rules_make_finish(make) == -1 || fsync(fd) == -1 || close(fd) == -1)
		die_write(temporary);
	if (rename(temporary, target) == -1)
		die(EXIT_TEMPORARY, "unable to move %s to %s: %s", temporary, target, errtext(errno));
	return 0;
}
