/* rbl_refuse.h - the SMTP of a server that takes no mail: greets, is polite, refuses every recipient.
 *
 * Shape   one reply a line, whatever its length. HELO, EHLO, MAIL, RSET and NOOP get 250, QUIT gets 221 and
 *         is the end, all else gets the refusal. A verb ends at the first blank; case does not count.
 * Units   timeout_ms is for the whole conversation; with 0 the refusal is all that is said.
 * Source  ucspi-tcp's rblsmtpd(1). The replies are not multi-line: EHLO is answered like HELO. */
#ifndef TCPSERVER_RBL_REFUSE_H
#define TCPSERVER_RBL_REFUSE_H

#include <stdbool.h>
#include <stddef.h>

enum { RBL_VERB = 8 };

/* The verb of a line that comes in pieces. */
struct rbl_verb {
	char text[RBL_VERB];
	size_t len; /* RBL_VERB: too long for any of ours */
	bool ended; /* by a blank */
};

enum rbl_reply { RBL_NO_LINE, RBL_REFUSED, RBL_GOOD, RBL_BYE };

/* One byte more; what is to be said when it ends a line. */
enum rbl_reply rbl_feed(struct rbl_verb *v, char c);

/* Until QUIT, the end of the input, an error or the timeout. refusal is "451 TEXT\r\n". */
void rbl_refuse(int in, int out, const char *refusal, int timeout_ms);

#endif
