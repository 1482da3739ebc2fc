#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

void spawn_fd(struct spawn *s, int from, int to)
{
	s->from[s->fds] = from;
	s->to[s->fds] = to;
	s->fds++;
}

const char **spawn_search(const char *program, const char *path)
{
	size_t program_len = strlen(program), dirs = 1;
	const char **files;
	char *text;

	if (path == NULL)
		path = "/bin:/usr/bin";
	if (strchr(program, '/') != NULL)
		path = NULL; /* a slash means no search */
	for (const char *p = path; p != NULL && *p != '\0'; p++)
		dirs += *p == ':';
	/* each name: directory, slash, program, NUL; an empty directory is "." */
	files = malloc(
		(dirs + 1) * sizeof *files + (path == NULL ? 0 : strlen(path)) + dirs * (program_len + 3));
	if (files == NULL)
		return NULL;
	text = (char *)(files + dirs + 1);
	for (size_t i = 0; i < dirs; i++) {
		size_t n = path == NULL ? 0 : strcspn(path, ":");

		files[i] = text;
		if (path != NULL) {
			if (n == 0)
				*text++ = '.';
			memcpy(text, path, n);
			text += n;
			*text++ = '/';
			path += n + (path[n] == ':');
		}
		memcpy(text, program, program_len + 1);
		text += program_len + 1;
	}
	files[dirs] = NULL;
	return files;
}

bool spawn_finds(const char *program)
{
	const char **files = spawn_search(program, getenv("PATH"));
	bool found = false;

	for (size_t i = 0; files != NULL && files[i] != NULL; i++)
		found = found || access(files[i], X_OK) == 0;
	free(files);
	return found;
}

void spawn_exec(const char *const *files, char *const argv[], char *const envp[])
{
	int denied = 0;

	for (; *files != NULL; files++) {
		execve(*files, argv, envp);
		if (errno == EACCES)
			denied = EACCES; /* as execvp: go on, but remember */
		else if (errno != ENOENT && errno != ENOTDIR)
			return;
	}
	if (denied != 0)
		errno = denied;
}

struct child {
	const struct spawn *spawn;
	int error;
};

/* Moves the sources out of the way of the targets first, so that no map, however crossed, loses one. */
static int place(const struct spawn *s)
{
	int safe[SPAWN_FDS];
	int floor = 0;

	for (size_t i = 0; i < s->fds; i++)
		if (s->to[i] >= floor)
			floor = s->to[i] + 1;
	for (size_t i = 0; i < s->fds; i++) {
		safe[i] = s->from[i];
		if (safe[i] < floor && safe[i] != s->to[i])
			safe[i] = fcntl(safe[i], F_DUPFD_CLOEXEC, floor);
		if (safe[i] == -1)
			return -1;
	}
	for (size_t i = 0; i < s->fds; i++)
		if (safe[i] == s->to[i] ? fcntl(safe[i], F_SETFD, 0) == -1 : dup2(safe[i], s->to[i]) == -1)
			return -1;
	return 0;
}

/* On a stack that AddressSanitizer does not know, its check before _exit would only complain. */
__attribute__((no_sanitize("address"))) static int child_main(void *arg)
{
	struct child *c = arg;
	const struct sigaction fallback = { .sa_handler = SIG_DFL };
	sigset_t none;

	if (c->spawn->before_exec != NULL) /* first: a log without a reader must not kill us by SIGPIPE */
		c->spawn->before_exec(getpid(), c->spawn->arg);
	/* ours are ignored or blocked, and both are inherited through exec */
	sigaction(SIGPIPE, &fallback, NULL);
	sigaction(SIGHUP, &fallback, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (place(c->spawn) == 0)
		spawn_exec(c->spawn->files, c->spawn->argv, c->spawn->envp);
	c->error = errno; /* our parent's memory: it is asleep until we end */
	_exit(EXIT_TEMPORARY);
}

pid_t spawn_run(const struct spawn *s, int *exec_errno)
{
	/* CLONE_VFORK: one child at a time, so one stack serves them all. */
	static _Alignas(16) char stack[64 * 1024];
	struct child c = { .spawn = s };
	pid_t pid;

#ifdef __SANITIZE_ADDRESS__ /* the last child left by exec: its frames are still marked as in use */
	__asan_unpoison_memory_region(stack, sizeof stack);
#endif
	pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &c);
	*exec_errno = c.error;
	return pid;
}
