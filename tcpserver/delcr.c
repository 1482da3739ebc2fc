/* delcr - standard input to standard output, without the CR before each LF. */

#include <errno.h>
#include <unistd.h>

#include "base/cr.h"
#include "base/err.h"
#include "base/fs.h"

static const char help[] =
	"delcr: usage: delcr\n"
	"Copies input to output and takes away one carriage return before each line feed.\n"
	"  --help     print this and exit\n"
	"  --version  print the version and exit\n";

enum { BLOCK = 8192 };

/* Nothing is said when it fails: on descriptor 2 there may be a client. */
int main(int argc, char **argv)
{
	struct cr c = { 0 };
	char in[BLOCK], out[BLOCK + 1];
	ssize_t n;

	err_option(argc, argv, help);
	while ((n = read(0, in, sizeof in)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || fs_write_all(1, out, cr_delete(&c, in, (size_t)n, out)) == -1)
			return EXIT_TEMPORARY;
	}
	return fs_write_all(1, out, cr_delete_end(&c, out)) == -1 ? EXIT_TEMPORARY : 0;
}
