/* milter_session.h - an SMTP session as a milter hears of it, and what it says, as answers of a policy.
 *
 * Shape   stages of the policy protocol in, answers out. What a milter was not told yet (a stage that the policy
 *         is not asked at) is told before the next thing. A connection to the milter is made for each session.
 *         The message is kept, shown, changed as the milter wants it and given back.
 * Errors  see milter_link.h: a milter that fails ends the program.
 * Source  libmilter's documentation of the callbacks; portero-policy(7); policy-milter(8). */
#ifndef SMTPD_MILTER_SESSION_H
#define SMTPD_MILTER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mail/address.h"
#include "mail/fields.h"
#include "mail/milter.h"
#include "mail/policy_wire.h"
#include "smtpd/milter_link.h"
#include "smtpd/spool.h"

enum {
	MILTER_HEADER_MAX = 256 * 1024, /* of a message */
	MILTER_TEXT = 512,              /* of a reply, a reason */
	MILTER_PATHS = 32 * 1024        /* all addresses that a milter adds and removes */
};

enum milter_quarantine { MILTER_QUARANTINE_HEADER, MILTER_QUARANTINE_DEFER };

struct milter_config {
	const char *name; /* of this host: macros j and {daemon_name} */
	unsigned version;
	size_t chunk;
	int command_ms;
	int message_ms;
	enum milter_quarantine quarantine;
};

enum milter_verdict_kind {
	MILTER_GO,      /* nothing is decided */
	MILTER_PASS,    /* accepted: nothing more is shown to the milter */
	MILTER_REFUSE,  /* with the code, which may be one of 4xx */
	MILTER_THROW,   /* discarded */
	MILTER_SKIPPED, /* the rest of the body is not wanted */
	MILTER_DROP     /* with the code, and the session ends */
};

struct milter_verdict {
	enum milter_verdict_kind kind;
	unsigned code;
	char status[MILTER_STATUS];
	char text[MILTER_TEXT];
};

/* Addresses as "<...>", one behind another with their NULs. */
struct milter_paths {
	size_t count;
	size_t used;
	size_t at[POLICY_ITEMS];
	char bytes[MILTER_PATHS];
};

struct milter_session {
	const struct milter_config *config;
	struct milter_link link;
	const struct policy_request *q; /* the one at hand */

	bool greeted;                  /* the milter knows of this connection */
	char helo[256];                /* that the milter was told last */
	bool in_message;               /* MAIL was told, and no end of the message */
	bool begun;                    /* a message, whether the milter wants to hear of it or not */
	bool has_rcpt;                 /* a recipient was told */
	bool ended;                    /* what is kept is of the message before */
	unsigned long messages;        /* of this session */
	struct milter_verdict session; /* what holds for the rest of the session */
	struct milter_verdict message; /* for the rest of the message */
	struct milter_verdict said;    /* the answer at hand points here */

	struct spool text;
	struct spool body; /* the new one */
	bool replaced;
	bool pending_cr;
	char last;      /* byte of the new body */
	size_t body_at; /* where the body begins in text */
	struct fields fields;
	struct milter_paths add, remove;
	char sender[ADDRESS_MAX + 3]; /* "<...>", or "": unchanged */
	bool quarantined;
	char reason[MILTER_TEXT];

	struct { /* how far the message was given back */
		size_t field, at;
		bool separated;
		bool whole; /* nothing was changed */
	} give;

	char header[MILTER_HEADER_MAX];
	char piece[64 * 1024];
};

/* link.place, link.connect_ms, config, text and body are set by the caller; the rest is zero. */
void milter_session_init(struct milter_session *s);

/* For policy_serve.h. */
void milter_session_answer(void *arg, const struct policy_request *q, struct policy_answer *a);
void milter_session_told(void *arg, const struct policy_request *q);
void milter_session_text(void *arg, const char *p, size_t n);
ssize_t milter_session_message(void *arg, char *p, size_t n);
void milter_session_quit(struct milter_session *s);

#endif
