/* mail/spf_question.h - who is asked about whom: what a question gives to the macros, and the domain it is about.
 *
 * Source  RFC 7208 sections 2.4, 4.3 and 7.2. */
#ifndef MAIL_SPF_QUESTION_H
#define MAIL_SPF_QUESTION_H

#include "mail/spf.h"

/* Sets s->values but those that go on asking (validated). False: there is no domain to be asked. */
bool spf_question_set(struct spf *s, char domain[SPF_NAME]) __attribute__((warn_unused_result));

#endif
