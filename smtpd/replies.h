/* replies.h - every reply that smtpd can give, by name.
 *
 * Shape   handlers return an enum reply; code, status and words stand in the table of replies.c alone.
 *         After EHLO a reply carries its enhanced status code; before, and after HELO, its words are
 *         qmail-smtpd's to the letter.
 * Source  RFC 5321 section 4.2, RFC 2034, RFC 3463; words of qmail-smtpd(8). */
#ifndef SMTPD_REPLIES_H
#define SMTPD_REPLIES_H

#include <stdbool.h>

struct session;
struct door_answer;

enum reply {
	REPLY_NONE, /* nothing: it has been said, or nobody is there to hear it */
	REPLY_GREETING,
	REPLY_HELO,
	REPLY_OK,
	REPLY_SENDER_OK,
	REPLY_RECIPIENT_OK,
	REPLY_FLUSHED,
	REPLY_VRFY,
	REPLY_HELP,
	REPLY_BYE,
	REPLY_GO_AHEAD,
	REPLY_CHUNK,
	REPLY_QUEUED,
	REPLY_START_TLS,
	REPLY_NO_TLS,
	REPLY_TLS_TWICE,
	REPLY_TALKED_BEHIND_TLS,
	REPLY_TIMEOUT,
	REPLY_NO_CONTROLS,
	REPLY_NO_SANDBOX,
	REPLY_TOO_MANY_ERRORS,
	REPLY_TOO_MANY_REFUSED,
	REPLY_NOT_SMTP,
	REPLY_TALKED_FIRST,
	REPLY_NO_PROGRESS,
	REPLY_TOO_SLOW,
	REPLY_UNKNOWN,
	REPLY_TOO_LONG,
	REPLY_NEVER_ENDS,
	REPLY_BARE_LF_LINE,
	REPLY_CONTROL_BYTE,
	REPLY_NEEDS_ARGUMENT,
	REPLY_TAKES_NO_ARGUMENT,
	REPLY_BAD_SENDER,
	REPLY_BAD_RECIPIENT,
	REPLY_BAD_PARAMETER,
	REPLY_UNKNOWN_PARAMETER,
	REPLY_NEEDS_UTF8,
	REPLY_MAIL_FIRST,
	REPLY_RCPT_FIRST,
	REPLY_MAIL_TWICE,
	REPLY_TEXT_BEGUN,
	REPLY_NEEDS_BDAT,
	REPLY_BAD_CHUNK,
	REPLY_NOT_ALLOWED,
	REPLY_TOO_MANY_RECIPIENTS,
	REPLY_SIZE,
	REPLY_BADMAILFROM,
	REPLY_BADRCPTTO,
	REPLY_RCPTHOSTS,
	REPLY_RCPTHOSTS_UNREADABLE,
	REPLY_LISTED, /* the words are session.listing's */
	REPLY_LISTED_LATER,
	REPLY_POLICY, /* code and words come from a policy: policy_ask_said */
	REPLY_BARRED,
	REPLY_HOPS,
	REPLY_BARE_NEWLINE,
	REPLY_STRAY_NEWLINE, /* the session is over */
	REPLY_EHLO_FIRST,
	REPLY_AUTH_USER, /* prompts: what they say is base64 */
	REPLY_AUTH_PASSWORD,
	REPLY_AUTH_PLAIN,
	REPLY_AUTH_OK,
	REPLY_AUTH_CANCELLED,
	REPLY_AUTH_BASE64,
	REPLY_AUTH_SYNTAX,
	REPLY_AUTH_MECHANISM,
	REPLY_AUTH_WRONG,
	REPLY_AUTH_FAILURES, /* the session is over */
	REPLY_AUTH_TROUBLE,
	REPLY_AUTH_NEEDS_TLS,
	REPLY_AUTH_NO,
	REPLY_AUTH_TWICE,
	REPLY_AUTH_IN_MAIL,
	REPLY_AUTH_REQUIRED,
	REPLY_AUTH_SETTING,
	REPLY_QUEUE /* code and words come from the queue: reply_queue */
};

/* Puts the reply into the writer, with s->detail behind its words, and clears that. */
void reply_put(struct session *s, enum reply r);

/* A line of the answer to EHLO, which is not its last one ('-') or is (' '). */
void reply_put_line(struct session *s, char more, const char *text);

/* K, Z or D of the queue. */
void reply_put_answer(struct session *s, const struct door_answer *a);

int reply_code(enum reply r);
int reply_code_now(const struct session *s, enum reply r); /* the same, of REPLY_POLICY the policy's */
const char *reply_reason(enum reply r);                    /* one word for the log */
bool reply_is_listing(enum reply r);
bool reply_blames(enum reply r); /* the session ends because of what the client did */

#endif
