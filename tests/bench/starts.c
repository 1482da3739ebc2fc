/* starts COUNT PROGRAM [ARG ...] - starts a program again and again, each after the end of the last.
 *
 * Prints seconds, CPU seconds and 0 (the third column of serve.c). What the start costs us, its parent, is
 * part of the CPU. The program's descriptor 0 is ours, 1 is /dev/null. */
#include "bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

static double cpu_so_far(void)
{
	struct rusage self, children;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return cpu_s(&self) + cpu_s(&children);
}

static void start(char **argv, const posix_spawn_file_actions_t *files)
{
	pid_t pid;
	int status;

	errno = posix_spawn(&pid, argv[0], files, NULL, argv, environ);
	if (errno != 0)
		fail(argv[0]);
	if (waitpid(pid, &status, 0) == -1 || status != 0)
		give_up("the program failed");
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t files;
	unsigned long count;
	double began, cpu;

	if (argc < 3)
		give_up("usage: starts count program [arg ...]");
	count = number(argv[1]);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	cpu = cpu_so_far();
	began = now_s();
	for (unsigned long i = 0; i < count; i++)
		start(argv + 2, &files);
	printf("%.6f %.6f 0\n", now_s() - began, cpu_so_far() - cpu);
	return 0;
}
