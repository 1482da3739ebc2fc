/* recordio - run a program, and write what it reads and what it writes on descriptor 2. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/str.h"
#include "base/twoway.h"

#define USAGE "recordio: usage: recordio program [ arg ... ]\n"

static const char help[] = USAGE "Runs program and prints its input and its output on descriptor 2.\n"
				 "  --help     print this and exit\n"
				 "  --version  print the version and exit\n";

/* A packet of ours, and so the longest line: one write that no other line gets into. */
enum { PACKET = 256, LINE = PACKET + 40 };

struct record {
	pid_t pid;
	const char *mark; /* " < " or " > " */
};

static void put_line(const struct record *r, const char *text, size_t n, const char *end)
{
	char memory[LINE];
	struct str line;

	str_init(&line, memory, sizeof memory);
	str_putu(&line, (unsigned long)r->pid);
	str_puts(&line, r->mark);
	str_put(&line, text, n);
	str_puts(&line, end);
	io_write_own(2, -1, line.s, line.len); /* a log that is gone stops nobody's work */
}

static size_t record(void *arg, const char *in, size_t n, char *out)
{
	const char *const end = in + n;
	const char *newline;

	memcpy(out, in, n);
	if (n == 0)
		put_line(arg, "", 0, "[EOF]\n");
	for (; in < end; in = newline + 1) {
		newline = memchr(in, '\n', (size_t)(end - in));
		if (newline == NULL) {
			put_line(arg, in, (size_t)(end - in), "+\n");
			break;
		}
		put_line(arg, in, (size_t)(newline - in), " \n");
	}
	return n;
}

static _Noreturn void run(char **argv)
{
	const char **files = spawn_search(argv[0], getenv("PATH"));

	if (files != NULL)
		spawn_exec(files, argv, environ);
	die(EXIT_TEMPORARY, "unable to run %s: %s", argv[0], errtext(errno));
}

int main(int argc, char **argv)
{
	struct record in = { .pid = getpid(), .mark = " < " }; /* of the program that we become */
	struct record out = { .pid = in.pid, .mark = " > " };
	struct twoway t = {
		.inward = { .chunk = PACKET, .make = record, .arg = &in },
		.outward = { .chunk = PACKET, .make = record, .arg = &out },
	};
	const char *step;

	err_name("recordio");
	err_option(argc, argv, help);
	if (argc < 2)
		die_usage(USAGE);
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	switch (twoway_split(&t, &step)) {
	case -1:
		die(EXIT_TEMPORARY, "unable to %s: %s", step, errtext(errno));
	case 0:
		signal(SIGPIPE, SIG_IGN);
		return twoway_run(&t) == -1 ? EXIT_TEMPORARY : 0; /* nobody waits for us */
	default:
		run(argv + 1);
	}
}
