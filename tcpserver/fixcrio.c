/* fixcrio - run a program, and mend the line ends of what it reads and of what it writes. */

#include "base/cr.h"
#include "base/err.h"
#include "tcpserver/between.h"

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

int main(int argc, char **argv)
{
	struct cr in = { 0 }, out = { 0 };
	struct twoway t = {
		.inward = { .chunk = TWOWAY_IN, .make = mend, .arg = &in },
		.outward = { .chunk = TWOWAY_IN, .make = mend, .arg = &out },
	};

	err_option(argc, argv, help);
	between(&t, "fixcrio", USAGE, argv + 1);
}
