/* smtpd/fresh.h - has anything that settings_read found become different since?
 *
 * Shape   two descriptors that become readable at the first change: one for the control directory, its files
 *         (also where they are links to elsewhere) and the directory above, one for the addresses of this
 *         host. Open them before settings are read; asking needs poll(2) and read(2).
 * Errors  -1 with errno, EMFILE among them: inotify has a limit of instances for each user (128 as a rule).
 *         The caller then serves one connection.
 * Source  inotify(7): changes by another host of a network file system are not seen. rtnetlink(7). */
#ifndef SMTPD_FRESH_H
#define SMTPD_FRESH_H

#include <stdbool.h>

struct fresh {
	int files;
	int home; /* the watch on PORTERO_HOME */
	int addresses;
};

int fresh_open(struct fresh *f) __attribute__((warn_unused_result));
bool fresh_is(const struct fresh *f);

#endif
