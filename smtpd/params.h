/* params.h - the parameters behind the path of MAIL and RCPT, checked whole.
 *
 * Source  RFC 5321 section 4.1.2 (Mail-parameters), RFC 1870 (SIZE), RFC 6152 (BODY). */
#ifndef SMTPD_PARAMS_H
#define SMTPD_PARAMS_H

#include "smtpd/command.h"

struct params {
	bool has_size;
	bool has_body;
	uint64_t size;
};

/* a is what stands behind the '>'. REPLY_NONE: fine. */
enum reply params_mail(struct params *p, struct argument a);
enum reply params_rcpt(struct argument a); /* none is known yet */

#endif
