/* queue/agent_wire.h - what queued and a delivery agent say to each other: the packets of portero-agent(7).
 *
 * Shape   over a SOCK_SEQPACKET pair (net/pass.h). Numbers are decimal; a field ends in a NUL.
 *           agent   H LIMIT                                   first of all: how many jobs it takes at once
 *           queued  J JOB NUL MESSAGE NUL ATTEMPT NUL ENVELOPE, and the message's descriptor
 *           agent   K|Z|D|U JOB NUL INDEX NUL STATUS NUL TEXT one a recipient; the job ends with the last
 *         ENVELOPE has the bytes of mail/envelope.h; INDEX counts its recipients from 0.
 * Units   a packet has AGENT_PACKET bytes at most. Text ends at its first NUL, and after AGENT_TEXT bytes. It comes
 *         from strangers: any byte but NUL may be in it.
 * Errors  false: the packet is none of these.
 * Source  portero-agent(7); qmail-send's spawners for the letters and the length of a text; RFC 3463 for STATUS. */
#ifndef QUEUE_AGENT_WIRE_H
#define QUEUE_AGENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mail/envelope.h"

enum {
	AGENT_FD = 3, /* the agent's end */
	AGENT_PACKET = 64 * 1024,
	AGENT_TEXT = 10000,
	AGENT_STATUS = 10, /* "5.123.456", NUL */
	AGENT_LIMIT = 10000
};

struct agent_job {
	unsigned long number;
	unsigned long message; /* its id, for logs */
	unsigned long attempt; /* 1 is the first */
	struct envelope envelope;
	int fd; /* the message begins where this stands; nobody else reads by the same one */
};

struct agent_report {
	unsigned long job;
	unsigned long index;
	char letter;      /* K: delivered, Z: try again, D: never */
	bool unreachable; /* Z, and the next hop could not be reached: others may be spared the try */
	char status[AGENT_STATUS]; /* fits the letter; when written it may be empty */
	const char *text;          /* lives as long as the packet */
	size_t n;
};

/* Bytes of the packet, 0: it does not fit. */
size_t agent_wire_hello(char packet[AGENT_PACKET], unsigned limit) __attribute__((warn_unused_result));
size_t agent_wire_job(char packet[AGENT_PACKET], const struct agent_job *j)
	__attribute__((warn_unused_result));
size_t agent_wire_report(char packet[AGENT_PACKET], const struct agent_report *r)
	__attribute__((warn_unused_result));

/* Of n bytes; behind them there is room for one more. What is read points into them; fd is left alone. */
bool agent_wire_read_hello(char *packet, size_t n, unsigned *limit) __attribute__((warn_unused_result));
bool agent_wire_read_job(char *packet, size_t n, struct agent_job *j) __attribute__((warn_unused_result));
bool agent_wire_read_report(char *packet, size_t n, struct agent_report *r)
	__attribute__((warn_unused_result));

/* One that fits the letter: said, if it is one; else the last "(#5.1.1)" of the text; else 2.0.0, 4.0.0, 5.0.0. */
void agent_wire_status(
	char letter, const char *said, const char *text, size_t n, char status[AGENT_STATUS]);

#endif
