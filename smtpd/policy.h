/* policy.h - who may send what to whom. Silence of every check means refuse.
 *
 * Source  rblsmtpd(1): RBLSMTPD. qmail-smtpd(8): badmailfrom (and badrcptto, as patches have it), then RELAYCLIENT or AUTH, then
 *         rcpthosts and morercpthosts.cdb. */
#ifndef SMTPD_POLICY_H
#define SMTPD_POLICY_H

#include "smtpd/replies.h"
#include "smtpd/session.h"

/* "user@[1.2.3.4]" with an address of ours means a user here: control/localiphost. */
void policy_localip(const struct settings *set, struct address *a);

/* REPLY_RECIPIENT_OK, or why not. May put RELAYCLIENT's text behind the recipient. */
enum reply policy_recipient(struct session *s);

/* The domain may be relayed to by anybody: REPLY_RECIPIENT_OK. */
enum reply policy_rcpthosts(const struct settings *set, const struct address *a);

/* Do the lines of control/badmailfrom or control/badrcptto, which may be patterns, name it? */
bool policy_listed(const struct control_list *list, const struct address *a);

#endif
