/* policy_spp.h - what a plug-in of qmail-spp prints: commands, one a line.
 *
 * Errors  NULL is success; else a fixed sentence.
 * Source  qmail-spp 0.42, its page on plug-ins: A N O E L R D S U H C P. */
#ifndef SMTPD_POLICY_SPP_H
#define SMTPD_POLICY_SPP_H

#include "base/env.h"
#include "mail/policy_wire.h"

enum { SPP_TEXT = 512 };

enum spp_end {
	SPP_GO_ON, /* the next plug-in is asked */
	SPP_NEXT,  /* the command is taken */
	SPP_OFF,   /* so is all of the session */
	SPP_REFUSED
};

struct spp {
	enum spp_end end;
	/* "L": what is said at a later stage; POLICY_OTHER: nothing. */
	enum policy_stage later;
	char later_text[SPP_TEXT];
};

/* All that it printed, changed in place; the texts of *a point into it. Variables go into e. */
const char *spp_take(struct spp *s, struct env *e, char *output, struct policy_answer *a)
	__attribute__((warn_unused_result));

/* "550 5.1.1 words": refuses by its code, or by 550. drop: and ends the session. */
void spp_refuse(char *text, bool drop, struct policy_answer *a);

#endif
