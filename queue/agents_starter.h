/* queue/agents_starter.h - the process that starts agents: forked before the sandbox, it can do that and kill them.
 *
 * Shape   over a SOCK_SEQPACKET pair. From it: a struct agents_started, and our end of the agent's socket. To it: the
 *         generation of an agent to be killed; one that has ended already is no harm. It ends when we do. */
#ifndef QUEUE_AGENTS_STARTER_H
#define QUEUE_AGENTS_STARTER_H

#include <stdint.h>

#include "queue/agents.h"

struct agents_started {
	uint32_t agent;
	uint32_t generation; /* counts from 1, of all agents */
};

_Noreturn void agents_starter(const struct agents_options *o, int sock);

#endif
