/* policy_text.h - the text of a message on its way through the policies that want it, one after another, to the queue.
 *
 * Shape   the first of them is the text's holder. Asked at the end it gives back a message, which goes to the next one,
 *         or to the queue, piece by piece: nothing is kept here. What policies have said of headers stands in front of
 *         the text.
 * Errors  a policy that fails meanwhile has failed as at any question (policy_ask.h). */
#ifndef SMTPD_POLICY_TEXT_H
#define SMTPD_POLICY_TEXT_H

#include "smtpd/policy_ask.h"

/* The text will come. NULL, or one that wants it, is not there, and may not be passed over. */
struct policy_peer *policy_text_begin(struct session *s);

/* door_write's result, whoever it goes to. */
int policy_text_put(struct session *s, const char *p, size_t n) __attribute__((warn_unused_result));

/* The holder gives back so many bytes; is_last: no other policy is asked. NULL, or words behind its name. */
const char *policy_text_back(struct session *s, struct policy_peer *from, uint64_t left, bool is_last)
	__attribute__((warn_unused_result));

#endif
