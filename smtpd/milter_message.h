/* milter_message.h - a message: shown to the milter, changed as it wants, and given back.
 *
 * Shape   what is kept has smtpd's own Received field first, LF at the ends of lines; the milter is shown it
 *         without that field (as Sendmail and Postfix do), with CR LF. */
#ifndef SMTPD_MILTER_MESSAGE_H
#define SMTPD_MILTER_MESSAGE_H

#include "smtpd/milter_session.h"

/* What earlier messages left is forgotten. */
void milter_message_forget(struct milter_session *s);

/* Ends the message, and fills in the answer. */
void milter_message_end(struct milter_session *s, struct policy_answer *a);

/* The next bytes of the message, n at most; -1 with errno. */
ssize_t milter_message_give(struct milter_session *s, char *p, size_t n);

/* What a policy answers for a verdict. */
void milter_message_answer(const struct milter_verdict *v, struct policy_answer *a);

#endif
