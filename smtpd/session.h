/* session.h - all state of one SMTP session, and nothing else: no byte of a client is kept anywhere but here
 * and on the stack, so that a process can take another one (smtpd.c). */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/io.h"
#include "mail/address.h"
#include "mail/dotline.h"
#include "mail/envelope.h"
#include "queue/door.h"
#include "smtpd/settings.h"

enum {
	SESSION_IN = 64 * 1024,    /* one read */
	SESSION_OUT = 4 * 1024,    /* replies of a pipelined group */
	SESSION_RECIPIENTS = 1000, /* RFC 5321 section 4.5.3.1.8 asks for 100 */
	SESSION_HELO = 255,        /* RFC 5321 section 4.5.3.1.2 */
	SESSION_ERRORS = 20        /* then the session ends: 421 */
};

/* A set, so that the table of commands can name several states. RFC 5321 section 4.1.4. */
enum state {
	STATE_IDLE = 1, /* no transaction */
	STATE_MAIL = 2, /* a sender */
	STATE_RCPT = 4, /* and a recipient at least */
	STATE_ANY = STATE_IDLE | STATE_MAIL | STATE_RCPT
};

struct session {
	const struct settings *set;
	struct io_reader in;
	struct io_writer out;
	struct door door;

	enum state state;
	bool esmtp; /* EHLO: enhanced status codes, with ESMTP */
	char helo[SESSION_HELO + 1];
	bool over; /* after the reply that is being made */
	int exit_code;
	unsigned errors;
	bool spoke; /* a command of SMTP has been understood */

	struct address sender;
	struct address recipient; /* the one of the command at hand */
	struct envelope envelope;

	const char *verb; /* of the command at hand; NULL: none was understood */
	char detail[128]; /* put behind the text of the next reply */

	/* from here on: large, and each by its name in smtpd.c, forget */
	char in_bytes[SESSION_IN];
	char out_bytes[SESSION_OUT];
	char text_bytes[DOTLINE_ROOM(SESSION_IN)]; /* in_bytes, decoded */
	char envelope_bytes[SESSION_RECIPIENTS * (ADDRESS_MAX + 2) + ENVELOPE_ADDRESS_MAX + 8];
};

#endif
