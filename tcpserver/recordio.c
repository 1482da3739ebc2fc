/* recordio - run a program, and write what it reads and what it writes on descriptor 2. */

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "base/str.h"
#include "tcpserver/between.h"

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

int main(int argc, char **argv)
{
	struct record in = { .pid = getpid(), .mark = " < " }; /* of the program that we become */
	struct record out = { .pid = in.pid, .mark = " > " };
	struct twoway t = {
		.inward = { .chunk = PACKET, .make = record, .arg = &in },
		.outward = { .chunk = PACKET, .make = record, .arg = &out },
	};

	err_option(argc, argv, help);
	between(&t, "recordio", USAGE, argv + 1);
}
