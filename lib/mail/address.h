/* mail/address.h - one mailbox of an SMTP envelope, parsed once and never again.
 *
 * Shape   text is local part and domain as the queue carries them: the local part without quotes and
 *         backslashes, '@', the domain; at is the index of the '@' before the domain, or len where there
 *         is no domain (the null sender, Postmaster, a bare local part). NUL-terminated, no NUL inside.
 * Units   at most ADDRESS_MAX bytes, as in qmail-smtpd.
 * Errors  NULL is success; else a fixed sentence that says what is wrong. *used counts the bytes up to
 *         and with the '>'.
 * Source  RFC 5321 sections 4.1.2 (Path) and 4.1.3 (address literals), RFC 6531 section 3.3. Strict where meaning would change
 *         (two '@', control bytes, an unclosed quote, an empty domain), lenient where only old clients
 *         suffer: dots anywhere in an unquoted local part, '_' in a domain, local parts over 64. */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { ADDRESS_MAX = 900, ADDRESS_DOMAIN_MAX = 255 };

struct address {
	char text[ADDRESS_MAX + 1];
	size_t len;
	size_t at;
	bool literal; /* the domain is "[...]" */
	bool utf8;    /* it holds characters beyond ASCII: the sender must have said SMTPUTF8 */
};

/* "<...>": with a source route, which is dropped; "<>" gives an empty text. */
const char *address_parse_path(struct address *a, const char *p, size_t n, size_t *used)
	__attribute__((warn_unused_result));

/* The domain behind the '@', or "" where there is none. */
const char *address_domain(const struct address *a);

/* An address as the queue carries it, as it stands between '<' and '>' of MAIL and RCPT: the local part quoted if it
 * must be. False: it holds what no path can (a control byte, a blank in its domain), and nothing is put. *utf8:
 * it holds bytes beyond ASCII. */
bool address_put_path(struct str *to, const char *text, bool *utf8) __attribute__((warn_unused_result));

/* Puts text behind an address (RELAYCLIENT does); at and literal are found anew. False: over the limit,
 * and nothing has changed. */
bool address_append(struct address *a, const char *suffix) __attribute__((warn_unused_result));

/* Replaces the domain. False as above. */
bool address_set_domain(struct address *a, const char *domain) __attribute__((warn_unused_result));

#endif
