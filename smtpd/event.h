/* event.h - one line of log for each refusal and each transaction.
 *
 * Shape   "smtpd: client=IP stage=WORD code=NNN reason=WORD helo=NAME from=<ADDRESS> to=<ADDRESS> session=ID",
 *         and for a message "... rcpts=N bytes=N qp=PID session=ID"; tls=VERSION and user=NAME when there are
 *         any. Values never hold a blank or an unprintable byte ('?' stands for it), so a line splits at
 *         blanks; only text=, always the last, holds the rest. Or the same names in an object of JSON.
 *         The names are an interface: smtpd(8), LOG. */
#ifndef SMTPD_EVENT_H
#define SMTPD_EVENT_H

#include "smtpd/replies.h"
#include "smtpd/session.h"

void event_as_json(void); /* from now on; a line on descriptor 2 is the object alone */
void event_refused(const struct session *s, enum reply r);
void event_message(const struct session *s, const struct door_answer *a, uint64_t bytes);
void event_auth(const struct session *s, const char *mechanism);                /* a success */
void event_trouble(const struct session *s, const char *what, const char *why); /* ours, not the client's */

#endif
