/* base/sandbox.h - the system calls a process may still make, for the rest of its life.
 *
 * Shape   callers name a profile; which calls it holds is written in sandbox_gen.c and nowhere else. That
 *         generator turns the names into a kernel filter with libseccomp when portero is built, so that a
 *         process that starts for one connection only has to load it.
 *         Every other call is answered EPERM; a call for another architecture kills the process. Filters
 *         are inherited through exec: open and start what is needed first, then enter.
 * Errors  -1 with errno: the caller refuses to serve.
 * Source  seccomp(2), prctl(2) PR_SET_NO_NEW_PRIVS. */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stddef.h>

enum sandbox {
	SANDBOX_SMTPD,
	SANDBOX_SMTPD_RESIDENT,
	SANDBOX_TLS,
	SANDBOX_POLICY,
	SANDBOX_MILTER_UNIX,
	SANDBOX_MILTER_INET,
	SANDBOX_QUEUED
};

struct sock_filter;

/* Before that, and before there is a second thread: from now on no file but those below the directories can be opened,
 * made or changed; what is open stays so. 0 too where the kernel does not know how (landlock(7), Linux 5.13). */
int sandbox_below(const int directories[], size_t count) __attribute__((warn_unused_result));

/* All threads of the process. */
int sandbox_enter(enum sandbox profile) __attribute__((warn_unused_result));

/* The filter itself, for the test that runs every call number through it. */
const struct sock_filter *sandbox_filter(enum sandbox profile, size_t *count);

#endif
