/* base/sigfd.h - signals as a readable descriptor, so that no handler ever runs.
 *
 * Shape   the signals named are blocked and arrive on the descriptor (close-on-exec, non-blocking);
 *         spawn_run unblocks everything for the child.
 * Source  signalfd(2). */
#ifndef BASE_SIGFD_H
#define BASE_SIGFD_H

int sigfd_open(const int signals[], int count) __attribute__((warn_unused_result));
int sigfd_next(int fd); /* a signal number, or 0 when none is waiting */

#endif
