/* queue/agent.h - the side of a program that delivers: portero-agent(7).
 *
 * Shape   agent_open once, then agent_next for a job and agent_report for each of its recipients, in any order and
 *         also while other jobs run, until agent_next says that there will be no more. It is time to finish what
 *         runs then, and to exit.
 * Units   as in queue/agent_wire.h. What is waited for beside AGENT_FD is the program's own loop.
 * Errors  -1 with errno; EPROTO: the other side is no queued. */
#ifndef QUEUE_AGENT_H
#define QUEUE_AGENT_H

#include <stdbool.h>

#include "queue/agent_wire.h"

/* Says how many jobs are taken at once. NULL, or a sentence: nobody is there that gives jobs. */
const char *agent_open(unsigned limit) __attribute__((warn_unused_result));

/* 1: a job. Its envelope points into memory (AGENT_PACKET + 1 bytes); its descriptor is close-on-exec and ours to
 * close. 0: there will be no more. -1 with EAGAIN: none is there now, and wait is false. */
int agent_next(struct agent_job *j, char *memory, bool wait) __attribute__((warn_unused_result));

/* A text that is too long is cut. */
int agent_report(const struct agent_report *r) __attribute__((warn_unused_result));

#endif
