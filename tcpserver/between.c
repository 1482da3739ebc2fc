#include "tcpserver/between.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/spawn.h"

static _Noreturn void run(char **argv)
{
	const char **files = spawn_search(argv[0], getenv("PATH"));

	if (files != NULL)
		spawn_exec(files, argv, environ);
	die(EXIT_TEMPORARY, "unable to run %s: %s", argv[0], errtext(errno));
}

_Noreturn void between(struct twoway *t, const char *name, const char *usage, char **program)
{
	const char *step;

	err_name(name);
	if (program[0] == NULL)
		die_usage(usage);
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	switch (twoway_split(t, &step)) {
	case -1:
		die(EXIT_TEMPORARY, "unable to %s: %s", step, errtext(errno));
	case 0:
		signal(SIGPIPE, SIG_IGN);
		_exit(twoway_run(t) == -1 ? EXIT_TEMPORARY : 0); /* nobody waits for us */
	default:
		run(program);
	}
}
