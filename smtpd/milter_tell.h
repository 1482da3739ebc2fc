/* milter_tell.h - one command to the milter, and what it decides.
 *
 * Shape   begin, put the command's data, send. Nobody waits for an answer that the milter does not give. */
#ifndef SMTPD_MILTER_TELL_H
#define SMTPD_MILTER_TELL_H

#include "smtpd/milter_session.h"

/* The milter wants to hear of it. */
bool milter_wants(const struct milter_session *s, uint32_t no);

/* With the macros of a stage in front. */
void milter_tell_begin(struct milter_session *s, struct milter_out *o, enum milter_command command,
	enum milter_stage stage);

/* quiet: the bit that says that there is no answer, or 0. */
struct milter_verdict milter_tell(
	struct milter_session *s, struct milter_out *o, uint32_t quiet, int timeout_ms);

/* Sends the end of the message; whatever the milter wants changed goes to change. */
struct milter_verdict milter_tell_last(struct milter_session *s, struct milter_out *o,
	void (*change)(struct milter_session *s, const struct milter_answer_of *a));

struct milter_verdict milter_refusal(unsigned code, const char *status, const char *text);

#endif
