/* policy_run.h - run a program of an older convention for one question, and take what it prints.
 *
 * Shape   descriptor 0 is /dev/null, 1 a pipe to us, 2 ours. What does not fit is read and dropped: *full.
 * Errors  the exit code, or -1: it was killed, or could not be run; errno is 0 or says why. */
#ifndef SMTPD_POLICY_RUN_H
#define SMTPD_POLICY_RUN_H

#include <stdbool.h>

#include "base/env.h"
#include "base/str.h"
#include "mail/policy_wire.h"

int policy_run(char *const argv[], const struct env *e, struct str *out)
	__attribute__((warn_unused_result));

/* What tcpserver would have told it of the connection, besides what is in *e. -1 with ENOMEM. */
int policy_run_environment(struct env *e, const struct policy_request *q)
	__attribute__((warn_unused_result));

#endif
