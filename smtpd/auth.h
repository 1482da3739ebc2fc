/* auth.h - AUTH: who the client can prove to be.
 *
 * Shape   offered only when it works at that moment: a checker was named and is there, and the line is encrypted
 *         unless SMTPAUTH says "clear"; on port 25 only when SMTPAUTH is set.
 *         A success counts as RELAYCLIENT="" where that is not set, and as TCPREMOTEINFO.
 *         No byte of a password stays in memory after the reply, and none reaches the log.
 * Units   AUTH_LINE bytes a line of the exchange, CR LF included.
 * Source  RFC 4954; RFC 4616 (PLAIN); draft-murchison-sasl-login (LOGIN); words of the patches of qmail-smtpd. */
#ifndef SMTPD_AUTH_H
#define SMTPD_AUTH_H

#include <stdbool.h>
#include <stddef.h>

enum { AUTH_LINE = 12288, AUTH_NAME = 255, AUTH_FAILURES = 3 };

struct session;
struct str;

struct auth {
	char user[AUTH_NAME + 1];  /* who it is: struct session, user */
	char tried[AUTH_NAME + 1]; /* whom the AUTH at hand named, for the log */
	bool grants;               /* the client may relay because of who it is, and for no other reason */
	unsigned failures;
};

bool auth_is_offered(const struct session *s);
void auth_put(const struct session *s, struct str *line); /* the mechanisms, each behind a blank */

/* Whoever is known may relay. */
void auth_grant(struct session *s);

/* Nobody is known any more, and who relayed for that reason may no longer: STARTTLS (RFC 3207 section 4.2), XCLIENT. */
void auth_forget(struct session *s);

#endif
