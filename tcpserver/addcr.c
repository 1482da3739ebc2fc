/* addcr - standard input to standard output, with a CR before each LF. */

#include <errno.h>
#include <unistd.h>

#include "base/cr.h"
#include "base/err.h"
#include "base/fs.h"

static const char help[] = "addcr: usage: addcr\n"
			   "Copies input to output and puts a carriage return before each line feed.\n"
			   "  --help     print this and exit\n"
			   "  --version  print the version and exit\n";

enum { BLOCK = 8192 };

/* Nothing is said when it fails: on descriptor 2 there may be a client. */
int main(int argc, char **argv)
{
	char in[BLOCK], out[2 * BLOCK];
	ssize_t n;

	err_option(argc, argv, help);
	while ((n = read(0, in, sizeof in)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || fs_write_all(1, out, cr_add(in, (size_t)n, out)) == -1)
			return EXIT_TEMPORARY;
	}
	return 0;
}
