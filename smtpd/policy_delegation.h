/* policy_delegation.h - the policy delegation protocol of Postfix: questions out, answers in.
 *
 * Shape   "name=value" LF lines and an empty line, as ours, but without escapes: a value that holds an LF or a
 *         NUL cannot be asked about and is left out. An answer is one line "action=WORD text".
 * Errors  NULL is success; else a fixed sentence.
 * Source  SMTPD_POLICY_README and access(5) of Postfix. */
#ifndef SMTPD_POLICY_DELEGATION_H
#define SMTPD_POLICY_DELEGATION_H

#include "mail/policy_wire.h"

/* Puts a block; out->full: it did not fit. instance names the transaction. */
void policy_delegation_put(struct str *out, const struct policy_request *q, const char *instance);

/* A whole block of n bytes, changed in place; *a is what it means for smtpd. */
const char *policy_delegation_take(char *block, size_t n, struct policy_answer *a)
	__attribute__((warn_unused_result));

#endif
