/* own FILE PROGRAM [ARG ...] - runs a program and adds a line to FILE: CPU seconds of that process alone, in nanoseconds'
 * precision. What wait4(2) says of it has its children in it as well: of smtpd, its broker and the queue's programs.
 *
 * Source  /proc/PID/schedstat, first number (Documentation/scheduler/sched-stats.rst): read when the process has ended
 *         and nobody has waited for it yet. */
#include "bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

static double own_s(pid_t pid)
{
	char path[64], text[128];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/schedstat", (long)pid);
	f = fopen(path, "re");
	if (f == NULL || fgets(text, sizeof text, f) == NULL)
		fail(path);
	fclose(f);
	return (double)strtoull(text, NULL, 10) / 1e9;
}

int main(int argc, char **argv)
{
	siginfo_t end;
	pid_t pid;
	int to, status;

	if (argc < 3)
		give_up("usage: own file program [arg ...]");
	to = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (to == -1)
		fail(argv[1]);
	errno = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
	if (errno != 0)
		fail(argv[2]);
	close(0); /* the client sees the end of the program, not ours */
	close(1);
	if (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT) == -1)
		fail("waitid");
	dprintf(to, "%.9f\n", own_s(pid));
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
