/* argv0 - run a program under another name. */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/spawn.h"

#define USAGE "argv0: usage: argv0 realname program [ arg ... ]\n"

static const char help[] = USAGE "Runs realname with program as its argument 0.\n"
				 "  --help     print this and exit\n"
				 "  --version  print the version and exit\n";

int main(int argc, char **argv)
{
	const char **files;

	err_name("argv0");
	err_option(argc, argv, help);
	if (argc < 3)
		die_usage(USAGE);
	files = spawn_search(argv[1], getenv("PATH"));
	if (files != NULL)
		spawn_exec(files, argv + 2, environ);
	die(EXIT_TEMPORARY, "unable to run %s: %s", argv[1], errtext(errno));
}
