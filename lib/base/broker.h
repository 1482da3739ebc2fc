/* base/broker.h - a second process, forked before a sandbox is entered, which starts one program again and
 * again for the one that has locked itself, and can do nothing else.
 *
 * Shape   a SOCK_SEQPACKET pair. A request is a packet; it is answered by a report when the program has been
 *         started, with our ends of its pipes as SCM_RIGHTS, and by another when it has ended. One program
 *         runs at a time. Its descriptors 0 and 1 are /dev/null where no pipe stands there.
 * Units   the environment of a request: BROKER_BLOCK bytes and ENV_BLOCK_VARS variables at most.
 * Errors  -1 with errno. When the broker itself is lost, or says nothing in time, it is given up: sock is -1
 *         from then on, and every later call fails with EPIPE. What it did next would answer the wrong question.
 * Source  unix(7), SCM_RIGHTS. */
#ifndef BASE_BROKER_H
#define BASE_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { BROKER_PIPES = 4, BROKER_PIPE_FDS = 2, BROKER_BLOCK = 64 * 1024 };

struct broker_pipe {
	enum { BROKER_WE_WRITE, BROKER_WE_READ } way;
	bool counted;            /* BROKER_WE_WRITE: what the program leaves unread is told */
	int fd[BROKER_PIPE_FDS]; /* the end of the program; both may be the same */
};

/* All of it is copied or used before the fork: the caller may let it go. */
struct broker_program {
	char *const *argv; /* argv[0] without a slash is looked for in PATH */
	const struct broker_pipe *pipes;
	size_t pipe_count;
	int timeout_ms; /* then the program is killed, with all of its process group; -1: it has its time */
	bool null_log;  /* its descriptor 2 is /dev/null, not ours */
	/* The variables that a request may bring. The caller is locked and the broker is not: it may not set what
	 * would make the program run another one. */
	bool (*settable)(const char *pair);
};

struct broker {
	int sock;
	pid_t pid;
	size_t pipe_count;
};

struct broker_end {
	int status;    /* of waitpid */
	size_t unread; /* bytes in the counted pipe that the program did not take */
};

/* NULL, or a sentence. */
const char *broker_open(struct broker *b, const struct broker_program *p)
	__attribute__((warn_unused_result));

/* Starts the program. vars: NULL, or what stands in its environment instead of all that is settable. ends gets
 * our end of each pipe; those that we write to do not block. *pid may be what anybody likes on -1. -1 with sock
 * still there: the program could not be started. */
int broker_start(struct broker *b, char *const vars[], int timeout_ms, int ends[], pid_t *pid)
	__attribute__((warn_unused_result));

/* Waits for the end of the program. */
int broker_wait(struct broker *b, int timeout_ms, struct broker_end *end)
	__attribute__((warn_unused_result));

/* The broker ends when it is idle; it is not waited for. */
void broker_give_up(struct broker *b);

/* The same, and it is waited for: whoever runs us may be a process 1 that never waits for strangers. */
void broker_close(struct broker *b);

#endif
