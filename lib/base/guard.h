/* base/guard.h - no child of this server signals, traces or limits it, although they share its uid.
 *
 * Shape   guard_enter is called once by the server itself, while it is root and before it drops to another
 *         user. What it loads is a kernel filter that all its children inherit, through exec too: calls that
 *         act on another process answer EPERM when they name the server, its process group, or everybody.
 *         The calling process must keep its pid and process group: it is they that are written into the
 *         filter. It may still signal its children by pid, and do everything else.
 *         no_new_privs stays off, so a set-user-ID program started below keeps its privilege.
 * Cost    once less than a millisecond; then one comparison more on kill and its like, nothing on any other call.
 * Errors  -1 with errno. EPERM: not root, so nothing was loaded (without root a filter costs no_new_privs);
 *         the server goes on unguarded. The process is undumpable afterwards in any case, which keeps
 *         ptrace and /proc/PID/mem from those who share its uid. Dropping to another user keeps that.
 * Source  seccomp(2), kill(2), prctl(2) PR_SET_DUMPABLE. The calls are listed in sandbox_gen.c. */
#ifndef BASE_GUARD_H
#define BASE_GUARD_H

#include <stddef.h>
#include <sys/types.h>

struct sock_filter;

/* server is getpid(). */
int guard_enter(pid_t server) __attribute__((warn_unused_result));

/* The filter itself, for the test that runs calls of other architectures through it. Returns its length, 0
 * when there is no room. */
size_t guard_make(struct sock_filter *to, size_t room, pid_t server, pid_t group);

#endif
