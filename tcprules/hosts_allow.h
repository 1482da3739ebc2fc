/* hosts_allow.h - the lines of a hosts.allow or hosts.deny that speak of one daemon.
 *
 * Shape   lines in the order in which they are asked; a line matches when a pattern of its level 0 does and
 *         those of level 1 do not, unless those of level 2 do ("a EXCEPT b EXCEPT c"), and so on.
 * Bounds  a line has HOSTS_ALLOW_LINE bytes at most, as in libwrap, which skips longer ones.
 * Errors  what rules cannot say, and what libwrap answers with a message in the log, is said on descriptor 2
 *         with its line and counted in refused. -1 with errno for what the system refuses.
 * Source  hosts_access(5) and hosts_options(5); tcpdmatch(8) of the package tcpd for what they leave open. */
#ifndef TCPRULES_HOSTS_ALLOW_H
#define TCPRULES_HOSTS_ALLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "net/addr.h"

enum { HOSTS_ALLOW_LINE = 2045 };

enum hosts_kind {
	HOSTS_ALL,
	HOSTS_KNOWN,
	HOSTS_UNKNOWN,
	HOSTS_LOCAL,
	HOSTS_NAME,
	HOSTS_SUFFIX, /* begins with a dot */
	HOSTS_NET,
	HOSTS_NEVER, /* matches nobody: said once, then left out */
};

struct hosts_net {
	struct addr base; /* nothing set behind bits */
	unsigned bits;    /* 0 to 128; of an IPv4 network 96 to 128 */
	bool is_v4;       /* [::]/0 is all of IPv6 and no IPv4 */
};

struct hosts_pattern {
	enum hosts_kind kind;
	unsigned level;
	char *name; /* of a HOSTS_NAME or HOSTS_SUFFIX, in lower case */
	struct hosts_net net;
};

struct hosts_line {
	const char *file; /* NULL: standard input */
	unsigned long number;
	size_t first; /* of the patterns */
	size_t count;
	unsigned levels;
	char *verdict; /* what stands behind the colon of a rule */
};

struct hosts_allow {
	const char *daemon;
	struct hosts_line *line;
	size_t lines;
	struct hosts_pattern *pattern;
	size_t patterns;
	size_t refused;
};

void hosts_allow_init(struct hosts_allow *h, const char *daemon);
void hosts_allow_free(struct hosts_allow *h);

/* One file after the other; verdict is that of a line without an option ("allow" or "deny"). */
int hosts_allow_read(struct hosts_allow *h, FILE *from, const char *file, const char *verdict)
	__attribute__((warn_unused_result));

/* "tcprules: fatal: [FILE ]line N: REASON (VALUE)" */
void hosts_allow_refuse(
	struct hosts_allow *h, const struct hosts_line *at, const char *reason, const char *value);

#endif
