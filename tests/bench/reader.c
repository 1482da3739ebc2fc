/* reader [pipe] - reads descriptor 0 to its end, 64 KiB at a time, and looks at nothing: the floor under
 * any program that takes bytes from a connection. With pipe they go on through a pipe to a second process:
 * the floor under any that hands them to another program, as the qmail-queue protocol does. */
#include "bench.h"

#include <sys/wait.h>

static char block[64 * 1024];

static int read_all(int from, int to)
{
	ssize_t n;

	while ((n = read(from, block, sizeof block)) > 0)
		for (ssize_t at = 0, w; to != -1 && at < n; at += w)
			if ((w = write(to, block + at, (size_t)(n - at))) == -1)
				return 1;
	return n == -1;
}

int main(int argc, char **argv)
{
	int ends[2], result;
	pid_t pid;

	(void)argv;
	if (argc < 2)
		return read_all(0, -1);
	if (pipe(ends) == -1 || (pid = fork()) == -1)
		fail("pipe");
	if (pid == 0) {
		close(ends[1]);
		_exit(read_all(ends[0], -1));
	}
	close(ends[0]);
	result = read_all(0, ends[1]);
	close(ends[1]);
	return waitpid(pid, NULL, 0) == -1 || result != 0;
}
