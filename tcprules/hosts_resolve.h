/* hosts_resolve.h - first match into most specific match: lines of hosts.allow as text for tcprules(1).
 *
 * Why     hosts.allow asks its lines in their order; rules ask for the client's address, its name, networks
 *         from the longest, suffixes from the longest. So the clients are cut into classes (each network
 *         without the longer ones, with each name), every class gets the line that answers for it, and what
 *         is printed is then asked about every class in the order of rules: exact, or refused.
 * Cost    networks x names x patterns, at most HOSTS_RESOLVE_WORK.
 * Errors  refusals as in hosts_allow.h, and nothing is printed then. */
#ifndef TCPRULES_HOSTS_RESOLVE_H
#define TCPRULES_HOSTS_RESOLVE_H

#include <stdio.h>

#include "tcprules/hosts_allow.h"

enum { HOSTS_RESOLVE_WORK = 2000 * 1000 * 1000 };

void hosts_resolve(struct hosts_allow *h, FILE *out);

#endif
