/* policy_said.h - the reply that a policy's reject, defer or drop becomes: REPLY_POLICY in full.
 *
 * Source  portero-policy(7); RFC 5321 section 4.2.1 for the classes of codes. */
#ifndef SMTPD_POLICY_SAID_H
#define SMTPD_POLICY_SAID_H

#include <stdbool.h>

#include "mail/policy_wire.h"

struct policy_said {
	unsigned code;
	char status[16];
	char words[512];
	const char *by; /* the policy's name */
};

/* True: the session ends with it. */
bool policy_said_set(
	struct policy_said *said, const char *by, enum policy_stage stage, const struct policy_answer *a);

#endif
