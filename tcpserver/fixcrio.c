/* fixcrio - run a program, and mend the line ends of what it reads and of what it writes. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cr.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/spawn.h"
#include "base/twoway.h"

#define USAGE "fixcrio: usage: fixcrio program [ arg ... ]\n"

static const char help[] =
	USAGE "Runs program and puts a carriage return before each line feed that has none,\n"
	      "in its input and in its output.\n"
	      "  --help     print this and exit\n"
	      "  --version  print the version and exit\n";

static size_t mend(void *arg, const char *in, size_t n, char *out)
{
	return cr_mend(arg, in, n, out);
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
	struct cr in = { 0 }, out = { 0 };
	struct twoway t = {
		.inward = { .chunk = TWOWAY_IN, .make = mend, .arg = &in },
		.outward = { .chunk = TWOWAY_IN, .make = mend, .arg = &out },
	};
	const char *step;

	err_name("fixcrio");
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
