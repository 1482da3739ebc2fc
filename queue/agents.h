/* queue/agents.h - the delivery agents, as queued has them: programs that live long and take job after job.
 *
 * Shape   agents_open, before the sandbox, forks a process that starts the agents and starts one again when it has
 *         died: at once, or after a pause when it did not live long. agents_fd is readable when there is something to
 *         do for agents_turn, which calls back; agents_wake_ms is when it is to be called in any case.
 *         A job is over when each of its recipients has its report. That of an agent that dies, or that says what no
 *         agent says, or does not report in time, is deferred by us. One that was late gets no more jobs, may finish
 *         the others, and is killed.
 * Units   ms, monotonic. A job's number is the caller's, of those that run there is one each.
 * Cost    a packet a job and one a report, O(1) each; nothing else is done while agents live.
 * Errors  -1 with errno. Of agents_start: EAGAIN: no room now; the next job that ends, or the next limit, makes some.
 *         EMSGSIZE: too many recipients for one packet. Of agents_turn: the process that starts agents is lost.
 * Source  portero-agent(7). Callbacks may call agents_start. */
#ifndef QUEUE_AGENTS_H
#define QUEUE_AGENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/agent_wire.h"

enum { AGENTS_MAX = 16 };

struct agents_options {
	char *const *commands[AGENTS_MAX]; /* argv; an agent is known by its index here */
	size_t count;
	int timeout_ms; /* of a job */
};

struct agents_calls {
	void *arg;
	/* own_fault: it comes from us, and nothing is known of the next hop. */
	void (*report)(void *arg, uint64_t owner, const struct agent_report *r, bool own_fault);
	void (*over)(void *arg, uint64_t owner);
	void (*limit)(void *arg, size_t agent, unsigned limit); /* jobs at once; 0: it has gone */
	void (*say)(void *arg, const char *line);
};

struct agents;

/* What is pointed to by o is used until agents_close. NULL with errno; ENOENT: no such program. */
struct agents *agents_open(const struct agents_options *o, const struct agents_calls *calls)
	__attribute__((warn_unused_result));
void agents_close(struct agents *a); /* nothing is called back; agents finish what they do and end */

int agents_fd(const struct agents *a);
int64_t agents_wake_ms(const struct agents *a); /* or CLOCK_NEVER */
int agents_turn(struct agents *a) __attribute__((warn_unused_result));

/* The descriptor of j stays the caller's, and what it reads is the agent's from now on: it needs one of its own,
 * with an offset of its own. */
int agents_start(struct agents *a, size_t agent, const struct agent_job *j, uint64_t owner)
	__attribute__((warn_unused_result));

#endif
