/* milter_macros.h - what a milter is told besides the commands: Sendmail's macros, as far as we know their values.
 *
 * Source  MILTER_README of Postfix, "Sendmail macro emulation": the stages and their lists. A macro without a value
 *         is not sent. */
#ifndef SMTPD_MILTER_MACROS_H
#define SMTPD_MILTER_MACROS_H

#include "smtpd/milter_session.h"

/* In front of a command: nothing, when there is nothing to tell. */
void milter_macros_put(struct milter_session *s, enum milter_stage stage, enum milter_command command);

#endif
