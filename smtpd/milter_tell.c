#include "smtpd/milter_tell.h"

#include <string.h>

#include "base/clock.h"
#include "smtpd/milter_macros.h"

bool milter_wants(const struct milter_session *s, uint32_t no)
{
	return (s->link.agreed.steps & no) == 0;
}

void milter_tell_begin(struct milter_session *s, struct milter_out *o, enum milter_command command,
	enum milter_stage stage)
{
	milter_macros_put(s, stage, command);
	milter_link_begin(&s->link, o, command);
}

struct milter_verdict milter_refusal(unsigned code, const char *status, const char *text)
{
	struct milter_verdict v = { .kind = code == 421 ? MILTER_DROP : MILTER_REFUSE, .code = code };

	strncpy(v.status, status, sizeof v.status - 1);
	strncpy(v.text, text, sizeof v.text - 1);
	return v;
}

static struct milter_verdict reply(const struct milter_answer_of *a)
{
	struct milter_verdict v = milter_refusal(a->number, a->status, "");

	v.text[milter_reply_text(a, v.text, sizeof v.text - 1)] = '\0';
	return v;
}

/* *decided stays false for what decides nothing. */
static struct milter_verdict verdict_of(const struct milter_answer_of *a, bool *decided)
{
	*decided = true;
	switch (a->what) {
	case MILTER_CONTINUE:
		return (struct milter_verdict){ .kind = MILTER_GO };
	case MILTER_ACCEPT:
		return (struct milter_verdict){ .kind = MILTER_PASS };
	case MILTER_DISCARD:
		return (struct milter_verdict){ .kind = MILTER_THROW };
	case MILTER_SKIP:
		return (struct milter_verdict){ .kind = MILTER_SKIPPED };
	case MILTER_REJECT:
		return milter_refusal(550, "5.7.1", "refused by the mail filter");
	case MILTER_TEMPORARY:
		return milter_refusal(451, "4.7.1", "the mail filter asks to try again later");
	case MILTER_REPLY:
		return reply(a);
	case MILTER_SHUTDOWN:
	case MILTER_CONNECTION_FAIL:
		return milter_refusal(421, "4.7.0", "the mail filter ends this session; try again later");
	default:
		*decided = false;
		return (struct milter_verdict){ .kind = MILTER_GO };
	}
}

static struct milter_verdict wait_for(struct milter_session *s, int timeout_ms,
	void (*change)(struct milter_session *s, const struct milter_answer_of *a))
{
	int64_t deadline_ms = clock_ms() + timeout_ms;

	for (;;) {
		struct milter_answer_of a;
		struct milter_verdict v;
		bool decided;

		milter_link_receive(&s->link, deadline_ms, &a);
		v = verdict_of(&a, &decided);
		if (decided)
			return v;
		if (a.what != MILTER_PROGRESS && change != NULL)
			change(s, &a);
		else if (a.what != MILTER_PROGRESS)
			milter_link_fail(&s->link, "it wants a change before the end of the message");
		deadline_ms = clock_ms() + timeout_ms; /* it is alive */
	}
}

struct milter_verdict milter_tell(
	struct milter_session *s, struct milter_out *o, uint32_t quiet, int timeout_ms)
{
	struct milter_verdict v;

	milter_link_end(&s->link, o);
	milter_link_send(&s->link, timeout_ms);
	if ((s->link.agreed.steps & quiet) != 0)
		return (struct milter_verdict){ .kind = MILTER_GO };
	v = wait_for(s, timeout_ms, NULL);
	if (v.kind == MILTER_SKIPPED && quiet != MILTER_QUIET_BODY) /* pyspf-milter skips MAIL */
		v.kind = MILTER_GO;
	return v;
}

struct milter_verdict milter_tell_last(struct milter_session *s, struct milter_out *o,
	void (*change)(struct milter_session *s, const struct milter_answer_of *a))
{
	struct milter_verdict v;

	milter_link_end(&s->link, o);
	milter_link_send(&s->link, s->config->message_ms);
	v = wait_for(s, s->config->message_ms, change);
	if (v.kind == MILTER_SKIPPED)
		v.kind = MILTER_GO;
	return v;
}
