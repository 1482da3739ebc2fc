/* params.h - the parameters behind the path of MAIL and RCPT, checked whole.
 *
 * Shape   what points into the command line lives as long as that. A parameter is known when its extension
 *         is offered (smtpd/extensions.h).
 * Source  RFC 5321 section 4.1.2 (Mail-parameters), RFC 1870 (SIZE), RFC 6152 and RFC 3030 (BODY), RFC 6531
 *         (SMTPUTF8), RFC 3461 section 4 (RET, ENVID, NOTIFY, ORCPT), RFC 8689 (REQUIRETLS). */
#ifndef SMTPD_PARAMS_H
#define SMTPD_PARAMS_H

#include "smtpd/command.h"

enum params_body { PARAMS_7BIT, PARAMS_8BITMIME, PARAMS_BINARYMIME };

struct params {
	uint64_t size;
	enum params_body body;
	bool smtputf8;
	bool requiretls;
	struct argument ret; /* of those not given n is 0 */
	struct argument envid;
	struct argument notify;
	struct argument orcpt;
	unsigned seen; /* which have come: each may once */
};

/* a is what stands behind the '>'. REPLY_NONE: fine. */
enum reply params_mail(struct params *p, const struct session *s, struct argument a);
enum reply params_rcpt(struct params *p, const struct session *s, struct argument a);

#endif
