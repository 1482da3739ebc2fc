/* spf_field.h - the Received-SPF field of a verdict.
 *
 * Shape   "Received-SPF: pass receiver=...; client-ip=...; ...", folded: LF and tab before each key. Values
 *         are atoms or quoted; '?' stands for what may be in neither. A value too long for a line is left out.
 * Source  RFC 7208 section 9.1; RFC 5322 section 3.2.4. */
#ifndef SMTPD_SPF_FIELD_H
#define SMTPD_SPF_FIELD_H

#include "base/str.h"
#include "mail/spf.h"

struct spf_field {
	const char *identity; /* "mailfrom" or "helo" */
	const char *receiver, *client, *sender, *helo;
	const struct spf_verdict *verdict;
};

void spf_field_put(struct str *out, const struct spf_field *f);

#endif
