/* received.h - the trace field that we put on top of each message.
 *
 * Source  RFC 5321 section 4.4; the form is qmail-smtpd's, which log and spam tools read, with the protocol
 *         words of RFC 3848 and RFC 6531 section 3.7.3, and TLS in a comment. */
#ifndef SMTPD_RECEIVED_H
#define SMTPD_RECEIVED_H

#include "base/str.h"
#include "smtpd/session.h"

/* Lines end in LF, or for a text that goes as it comes in CR LF. */
void received_put(const struct session *s, struct str *out);

/* SMTP, ESMTPSA, UTF8SMTPS ... */
void received_protocol(const struct session *s, struct str *out);

#endif
