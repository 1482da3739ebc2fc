/* policy_envelope.h - what policies change in the envelope at the end of a message.
 *
 * Errors  a sentence about the answer: part of it may have been done, so the message must not be taken.
 * Source  portero-policy(7): sender, recipient_remove, recipient_add. */
#ifndef SMTPD_POLICY_ENVELOPE_H
#define SMTPD_POLICY_ENVELOPE_H

#include "mail/policy_wire.h"
#include "smtpd/session.h"

/* Afterwards there may be no recipient left. */
const char *policy_envelope_change(struct session *s, const struct policy_answer *a)
	__attribute__((warn_unused_result));

#endif
