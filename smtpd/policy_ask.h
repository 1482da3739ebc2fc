/* policy_ask.h - the policies of control/policies: asked stage after stage, and what they want is done.
 *
 * Shape   opened before the sandbox is entered; one struct a process, session after session. A stage is one
 *         call; REPLY_NONE: go on. Where no policies are, every call returns at once.
 * Units   a reply is delayed by POLICY_DELAY_MS at most, whatever all of them want.
 * Errors  a policy that fails once has failed for the rest of the process; its line says what that means. A
 *         text that went to one which fails then is never taken.
 * Source  portero-policy(7). */
#ifndef SMTPD_POLICY_ASK_H
#define SMTPD_POLICY_ASK_H

#include "smtpd/command.h"
#include "smtpd/policy_kept.h"
#include "smtpd/policy_peer.h"
#include "smtpd/policy_said.h"

enum { POLICY_MAX = 16 /* lines */, POLICY_DELAY_MS = 60 * 1000 };

/* All that is kept of a session, and wiped behind it. */
struct policy_session {
	bool open;
	enum { BARRED_NOT, BARRED_MAIL, BARRED_ALL } barred;
	struct policy_said said;
	struct policy_peer *holder; /* of the text, NULL: the queue */
	uint64_t size;
	uint64_t delay;
	char protocol[32];
	char sender_parameters[COMMAND_LINE + 1];
	char recipient_parameters[COMMAND_LINE + 1];
	struct policy_kept kept; /* the last: most of it is never written */
};

struct policy_ask {
	size_t count;
	bool failed; /* one of them, and this process ends with its session */
	struct policy_peer peers[POLICY_MAX];
	char wrong[POLICY_LINE + 256];
	struct policy_session now;
	struct policy_buffers buffers;
};

/* NULL, or a sentence about a line. A policy that cannot be started has failed. */
const char *policy_ask_open(struct policy_ask *a, const struct control_list *lines, bool null_log)
	__attribute__((warn_unused_result));
/* Another session may begin: none has failed or gone away. */
bool policy_ask_is_quiet(const struct policy_ask *a);
/* Programs end, and are waited for. */
void policy_ask_finish(struct policy_ask *a);

/* One of them has failed: what becomes of that is told in the log. */
void policy_ask_failed(struct session *s, struct policy_peer *p, const char *why);

/* Also when XCLIENT makes it another session. REPLY_GREETING, or what is said instead. */
enum reply policy_ask_connect(struct session *s);
enum reply policy_ask_helo(struct session *s);
/* STARTTLS: the client has said no name yet. */
void policy_ask_forget_helo(struct session *s);
enum reply policy_ask_mail(struct session *s, struct argument parameters, uint64_t size);
enum reply policy_ask_rcpt(struct session *s, struct argument parameters);
enum reply policy_ask_data(struct session *s);
/* Text for the queue takes its way: door_write's result. */
int policy_ask_text(struct session *s, const char *p, size_t n) __attribute__((warn_unused_result));
enum reply policy_ask_end(struct session *s, uint64_t bytes);
void policy_ask_reset(struct session *s);
void policy_ask_close(struct session *s);

/* A command that is refused since a policy refused the session, or its HELO. */
bool policy_ask_bars(const struct session *s, const char *verb);
/* The message is to be taken and thrown away. */
bool policy_ask_discards(const struct session *s);
/* The queue that a policy named for this message, or "". */
const char *policy_ask_queue(const struct session *s);
/* "a,b" of this message, or "". */
const char *policy_ask_tags(const struct session *s);
/* Of the last REPLY_POLICY. */
const struct policy_said *policy_ask_said(const struct session *s);

#endif
