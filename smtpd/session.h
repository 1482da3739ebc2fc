/* session.h - all state of one SMTP session, and nothing else: no byte of a client is kept anywhere but here
 * and on the stack, so that a process can take another one (smtpd.c). */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/io.h"
#include "mail/address.h"
#include "mail/envelope.h"
#include "smtpd/auth.h"
#include "smtpd/checker.h"
#include "smtpd/queues.h"
#include "smtpd/settings.h"
#include "smtpd/text.h"
#include "smtpd/told.h"

enum {
	SESSION_IN = 64 * 1024,    /* one read */
	SESSION_OUT = 4 * 1024,    /* replies of a pipelined group */
	SESSION_RECIPIENTS = 1000, /* RFC 5321 section 4.5.3.1.8 asks for 100 */
	SESSION_HELO = 255,        /* RFC 5321 section 4.5.3.1.2 */
	SESSION_ERRORS = 20,       /* then the session ends: 421 */
	SESSION_REFUSED = 10,      /* the same, for recipients refused one after another */
	SESSION_ID = 40,
	SESSION_TLS = 1024,    /* what the TLS helper says of itself */
	SESSION_XCLIENT = 1024 /* what a proxy says of its client */
};

/* For the server, which may let an address wait: tcpserver --penalty. */
enum {
	SESSION_EXIT_BYE = 0,  /* QUIT */
	SESSION_EXIT_LEFT = 1, /* the client went away, or was too slow */
	SESSION_EXIT_BLAMED = 3
};

/* A set, so that the table of commands can name several states. RFC 5321 section 4.1.4. */
enum state {
	STATE_IDLE = 1,   /* no transaction */
	STATE_MAIL = 2,   /* a sender */
	STATE_RCPT = 4,   /* and a recipient at least */
	STATE_CHUNKS = 8, /* and a part of the text: BDAT */
	STATE_ANY = STATE_IDLE | STATE_MAIL | STATE_RCPT | STATE_CHUNKS
};

/* UCSPI-TLS: descriptors of the helper that holds the key, and what it said when it had begun. */
struct session_tls {
	int control; /* -1: there is none */
	int in, out; /* plain text; -1: descriptors 0 and 1 are that already (SMTPS) */
	bool on;
	const char *version; /* "TLSv1.3", NULL: not known; in text, as what follows */
	const char *cipher;
	const char *name; /* that the client asked for (SNI) */
	const char *fingerprint;
	char text[SESSION_TLS];
};

struct policy_ask;

struct session {
	const struct settings *set;
	char id[SESSION_ID]; /* unlike any other here: when it began, the process, which of its sessions */
	struct io_reader in;
	struct io_writer out;
	struct queues *queues;
	struct door *door;       /* of the message at hand */
	struct policy_ask *ask;  /* NULL: no policies */
	struct checker *checker; /* NULL: nobody can prove to be somebody */

	enum state state;
	bool esmtp; /* EHLO: enhanced status codes, with ESMTP */
	char helo[SESSION_HELO + 1];
	bool over; /* after the reply that is being made */
	int exit_code;
	unsigned errors;
	unsigned refused;    /* recipients, since one was taken */
	bool spoke;          /* a command of SMTP has been understood */
	int64_t progress_ms; /* when it began, or a message was taken */

	const char *ucspi[UCSPI_VARS]; /* who the client is: as the server said, or as XCLIENT did */
	const char *relay;             /* NULL, or it may relay: what is put behind each recipient */
	const struct listing *listing; /* NULL, or what is known against its address */
	const char *user;              /* NULL, or whose word we have that it is they */
	char xclient_text[SESSION_XCLIENT];
	size_t xclient_used;
	struct session_tls tls;
	struct auth auth;
	struct told told;

	struct address sender;
	struct address recipient; /* the one of the command at hand */
	struct envelope envelope;
	bool utf8; /* SMTPUTF8 was said */
	struct text text;

	const char *verb; /* of the command at hand; NULL: none was understood */
	char detail[128]; /* put behind the text of the next reply */

	/* from here on: large, and each by its name in smtpd.c, forget */
	char in_bytes[SESSION_IN];
	char out_bytes[SESSION_OUT];
	char text_bytes[DOTLINE_ROOM(SESSION_IN)]; /* in_bytes, decoded */
	char envelope_bytes[SESSION_RECIPIENTS * (ADDRESS_MAX + 2) + ENVELOPE_ADDRESS_MAX + 8];
};

#endif
