/* base/spawn.h - start a program in a child, vfork-class: no page table is copied.
 *
 * Shape   the child gets exactly the descriptors of the map (everything else of ours is close-on-exec),
 *         no signal blocked, PIPE and HUP at their defaults (others are as whoever started us left them),
 *         and the environment it is given.
 * Units   at most SPAWN_FDS mappings; a source may be named more than once.
 * Errors  spawn_run: a pid, or -1 with errno when there is no child (EAGAIN, ENOMEM). The exec itself is
 *         told through *exec_errno (0: the program runs); the child has then ended with code 111.
 * Source  clone(2), CLONE_VM and CLONE_VFORK; execvp(3) for the search in PATH. */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <sys/types.h>
#include <stdbool.h>
#include <stddef.h>

enum { SPAWN_FDS = 8 };

struct spawn {
	const char *const *files; /* candidates for argv[0], in order, NULL-ended: spawn_search */
	char *const *argv;
	char *const *envp;
	int from[SPAWN_FDS]; /* our descriptor, becomes … */
	int to[SPAWN_FDS];   /* … this one in the child */
	size_t fds;
	/* Called in the child, before exec, with its pid; shares our memory, so it may only write(2).
	 * May be NULL. */
	void (*before_exec)(pid_t pid, void *arg);
	void *arg;
};

void spawn_fd(struct spawn *s, int from, int to);
pid_t spawn_run(const struct spawn *s, int *exec_errno) __attribute__((warn_unused_result));

/* The file names that execvp(3) would try for this program in this PATH (NULL: "/bin:/usr/bin").
 * One allocation, NULL-ended, free() it; NULL with ENOMEM. */
const char **spawn_search(const char *program, const char *path) __attribute__((warn_unused_result));

bool spawn_finds(const char *program); /* is there one in PATH that may be run? */

/* In this process: the first of the candidates that runs. Returns only on failure, with errno. */
void spawn_exec(const char *const *files, char *const argv[], char *const envp[]);

#endif
