/* again.c - run the main of a program many times in one process: LD_PRELOAD for differential tests.
 *
 * A test of 20,000 look-ups would spend its time starting processes. This takes the program's own main, whoever
 * wrote it, and calls it once a job. Jobs come from the file $AGAIN_JOBS, each a line of fields between
 * tabs; results go to $AGAIN_RESULTS.
 *
 *   check CDB IP HOST INFO     main("CDB") with TCPREMOTE* set ("-" unset, else the text after a "+");
 *                              output and exit code are appended to the results. In this process.
 *   rules INPUT CDB TMP ERROR  main("CDB", "TMP") with the file INPUT on 0, descriptor 2 in the file ERROR; the
 *                              exit code is appended. In a child, since its main keeps unread input. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int main_function(int, char **, char **);

static main_function *program;
static char *name;
static jmp_buf after;
static int running;

void _exit(int code)
{
	if (running) {
		running = 0;
		longjmp(after, code + 1);
	}
	_Exit(code);
}

static int run(char **argv)
{
	extern char **environ;
	int argc = 0, code = setjmp(after);

	if (code != 0)
		return code - 1;
	while (argv[argc] != NULL)
		argc++;
	running = 1;
	code = program(argc, argv, environ);
	running = 0;
	return code;
}

static void set(const char *variable, const char *field)
{
	if (field[0] == '+')
		setenv(variable, field + 1, 1);
	else
		unsetenv(variable);
}

static int to(int fd, const char *path, int flags)
{
	int from = open(path, flags, 0644);

	return from == -1 || dup2(from, fd) == -1 || close(from) == -1;
}

static void check(char **f)
{
	char *argv[] = { name, f[1], NULL };
	int code;

	set("TCPREMOTEIP", f[2]);
	set("TCPREMOTEHOST", f[3]);
	set("TCPREMOTEINFO", f[4]);
	code = run(argv);
	fflush(stdout);
	dprintf(1, "exit %d\n", code);
	for (int fd = 3; fd < 10; fd++)
		close(fd);
}

static void rules(char **f)
{
	char *argv[] = { name, f[2], f[3], NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (to(0, f[1], O_RDONLY) || to(2, f[4], O_WRONLY | O_CREAT | O_TRUNC))
			_Exit(9);
		_Exit(run(argv));
	}
	waitpid(pid, &status, 0);
	dprintf(1, "%d\n", status);
}

static int jobs(int argc, char **argv, char **envp)
{
	FILE *in = fopen(getenv("AGAIN_JOBS"), "re");
	char *line = NULL, *f[5];
	size_t room = 0;
	int high;

	(void)argc;
	(void)envp;
	name = argv[0];
	if (in == NULL || to(1, getenv("AGAIN_RESULTS"), O_WRONLY | O_CREAT | O_TRUNC))
		return 9;
	/* out of the way: descriptors from 3 to 9 are closed after each job */
	high = fcntl(fileno(in), F_DUPFD_CLOEXEC, 100);
	fclose(in);
	in = fdopen(high, "r");
	if (in == NULL)
		return 9;
	dup2(1, 2);
	while (getline(&line, &room, in) != -1) {
		char *rest = line;

		line[strcspn(line, "\n")] = '\0';
		for (int i = 0; i < 5; i++)
			f[i] = rest == NULL ? "" : strsep(&rest, "\t");
		if (strcmp(f[0], "check") == 0)
			check(f);
		else
			rules(f);
	}
	return 0;
}

int __libc_start_main(main_function *m, int argc, char **argv, void (*init)(void), void (*fini)(void),
	void (*rtld_fini)(void), void *stack_end)
{
	int (*real)(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *) =
		dlsym(RTLD_NEXT, "__libc_start_main");

	program = m;
	return real(jobs, argc, argv, init, fini, rtld_fini, stack_end);
}
