/* hosts_client.h - one client pattern of a hosts.allow.
 *
 * Errors  NULL, or a fixed sentence: what rules cannot say. A pattern that libwrap takes and that matches nobody
 *         is HOSTS_NEVER.
 * Source  hosts_access(5), "Patterns" and "Wildcards". */
#ifndef TCPRULES_HOSTS_CLIENT_H
#define TCPRULES_HOSTS_CLIENT_H

#include "tcprules/hosts_allow.h"

/* The text is changed. p->name belongs to the caller. */
const char *hosts_client_parse(char *text, struct hosts_pattern *p) __attribute__((warn_unused_result));

#endif
