/* mconnect-io - between a person at 0 and 1 and the connection that tcpclient left at 6 and 7. */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cr.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/twoway.h"

static const char help[] = "mconnect-io: usage: mconnect-io\n"
			   "Copies 0 to 7 with a carriage return before each line feed, and 6 to 1.\n"
			   "  --help     print this and exit\n"
			   "  --version  print the version and exit\n";

static size_t add(void *arg, const char *in, size_t n, char *out)
{
	(void)arg;
	return cr_add(in, n, out);
}

static size_t copy(void *arg, const char *in, size_t n, char *out)
{
	(void)arg;
	memcpy(out, in, n);
	return n;
}

int main(int argc, char **argv)
{
	struct twoway t = {
		.inward = { .from = 0, .to = 7, .chunk = TWOWAY_IN, .make = add },
		.outward = { .from = 6, .to = 1, .chunk = TWOWAY_IN, .make = copy },
	};

	err_name("mconnect-io");
	err_option(argc, argv, help);
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	signal(SIGPIPE, SIG_IGN);
	if (twoway_run(&t) == -1)
		die(EXIT_TEMPORARY, "unable to write output: %s", errtext(errno));
	return 0;
}
