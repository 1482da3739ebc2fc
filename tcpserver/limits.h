/* limits.h - how many, from where, how fast: what is known of each address and each network.
 *
 * Shape   a source is an address (IPv6: its /64) or a network; both live in one table of fixed size. One that
 *         nobody uses is forgotten when its place is needed. limits_enter counts a connection, limits_left
 *         takes it away; limits_admit only answers.
 * Units   rates are N in a span of seconds, with bursts up to N; penalties are seconds of wait after a
 *         program's exit code, added up to ten minutes.
 * Source  rates: GCRA, as in
 *         ITU-T I.371; penalties: PerSourcePenalties of sshd_config(5). */
#ifndef TCPSERVER_LIMITS_H
#define TCPSERVER_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "net/addr.h"
#include "net/quota.h"

enum {
	LIMITS_CODES = 256,
	LIMITS_SIGNAL = 256
}; /* the penalty of a death by signal stands behind the codes */

struct limits_rules {
	struct quota quota;
	const uint16_t *penalty_s; /* LIMITS_CODES + 1 of them, or NULL */
};

enum limit { LIMITS_OK, LIMITS_ADDRESS, LIMITS_NET, LIMITS_RATE, LIMITS_LOAD, LIMITS_PENALTY, LIMITS_BAD };

struct source {
	unsigned char key[16];
	uint32_t next;  /* in its chain; index + 1 */
	uint32_t here;  /* connections, accepted and not ended */
	uint32_t slots; /* of them: count against -c */
	uint16_t shed;  /* how many it lost lately, to others who had none */
	uint8_t bits;
	int64_t shed_ms;
	int64_t full_until_ms; /* of the rate: when its bucket is empty again */
	int64_t penalty_until_ms;
};

struct limits {
	struct source *table;
	uint32_t *heads; /* behind the table */
	size_t size, mask, used, hand;
	uint64_t seed;
	int64_t load_read_ms;
	unsigned long load;
};

int limits_init(struct limits *l, size_t sessions) __attribute__((warn_unused_result));
void limits_free(struct limits *l);

/* "MAXCONNIP" and its family in the environment of a client, over what the command line says. NULL, or the
 * name of a variable with a value that is none: such a rule cannot be obeyed. */
const char *limits_read(struct quota *q, const struct env *env) __attribute__((warn_unused_result));
/* "CODE:SECONDS,signal:SECONDS,..." into LIMITS_CODES + 1 numbers. */
const char *limits_penalty(uint16_t *penalty_s, const char *text) __attribute__((warn_unused_result));

/* The places of both sources of an address, one connection more in each. */
void limits_enter(
	struct limits *l, const struct quota *q, const struct addr *a, uint32_t *source, uint32_t *net);
void limits_leave(struct limits *l, uint32_t source, uint32_t net);
void limits_slot(struct limits *l, uint32_t source, bool taken);
void limits_shed(struct limits *l, uint32_t source, int64_t now_ms);
void limits_ended(
	struct limits *l, const struct limits_rules *r, uint32_t source, int status, int64_t now_ms);

enum limit limits_admit(struct limits *l, const struct limits_rules *r, const struct quota *q,
	uint32_t source, uint32_t net, int64_t now_ms);
const char *limits_word(enum limit verdict); /* for the log */

/* How much an address has had already: sessions, and those that it lost lately. */
unsigned limits_claim(const struct limits *l, uint32_t source, int64_t now_ms);

#endif
