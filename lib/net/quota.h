/* net/quota.h - how many clients, from where, how fast: the words in which it is said.
 *
 * Shape   the options of tcpserver(1), and the variables of a rule that it obeys: MAXCONNIP, MAXCONNNET,
 *         MAXCONNC, MAXLOAD, RATE.
 * Units   connections; a rate is N in so many seconds; a load is of one minute, in hundredths.
 * Errors  NULL, or a fixed sentence that fits behind the offending text.
 * Source  tcpserver(1), "Rules for the server"; MAXCONNIP, MAXCONNC, MAXLOAD: the limits patch of ucspi-tcp. */
#ifndef NET_QUOTA_H
#define NET_QUOTA_H

#include <stdbool.h>
#include <stddef.h>

enum { QUOTA_COUNT_MAX = 1000000 };

/* 0: no limit */
struct quota {
	unsigned long per_address;
	unsigned long per_net4, per_net6;
	unsigned bits4, bits6; /* of a network */
	unsigned long rate;    /* new ones … */
	unsigned long rate_s;  /* … in so many seconds */
	unsigned long load;
};

const char *quota_rate(struct quota *q, const char *text) __attribute__((warn_unused_result)); /* 20/60 */
const char *quota_net(struct quota *q, const char *text)
	__attribute__((warn_unused_result)); /* 24:N,64:N */

/* The variables, by their place in quota_variables. */
enum { QUOTA_VARIABLES = 5 };
extern const char *const quota_variables[QUOTA_VARIABLES];
const char *quota_set(struct quota *q, int variable, const char *value) __attribute__((warn_unused_result));

#endif
