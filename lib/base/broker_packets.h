/* base/broker_packets.h - between the two sides of a broker, broker.c and broker_process.c: nobody else's. */
#ifndef BASE_BROKER_PACKETS_H
#define BASE_BROKER_PACKETS_H

#include "base/broker.h"

/* 'r', or 'e' with an environment block (base/env_block.h). */
struct broker_request {
	char kind;
	char block[BROKER_BLOCK];
};

/* First how the start went, then how the program ended. */
struct broker_report {
	int error; /* errno of the start, 0 */
	int status;
	size_t unread;
	pid_t pid;
};

/* The broker's own process; files are those of base/spawn.h. */
_Noreturn void broker_main(const struct broker_program *p, const char *const *files, int sock);

#endif
