/* mail/smtp_client.h - the client's side of SMTP and LMTP: one step of the dialogue a call.
 *
 * Shape   on two descriptors that somebody else has connected, and may exchange for others in between (STARTTLS).
 *         open, greeting, hello, perhaps starttls or auth; envelope, data, text, end; quit. Where the server
 *         pipelines, MAIL and RCPT leave in groups, DATA with the last of them if nothing hangs on their replies.
 *         All that leaves is as RFC 5321 has it, whatever the message and its envelope hold: text goes out by
 *         mail/dotline.h, addresses by mail/address.h, and what cannot be said is not.
 * Units   each wait has the time of RFC 5321 section 4.5.3.2, for a reply as a whole however it drips, and ends
 *         at deadline_ms (CLOCK_MONOTONIC) in any case.
 * Errors  an enum smtp_outcome. Behind SMTP_LOST nothing can be said any more, and lost says how; behind the others
 *         reply is what the server said last. SIGPIPE must be ignored.
 * Source  RFC 5321, 2920 (PIPELINING), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3461 (DSN), 3207
 *         (STARTTLS), 4954, 4616 (AUTH PLAIN), 8689 (REQUIRETLS), 2033 (LMTP). */
#ifndef MAIL_SMTP_CLIENT_H
#define MAIL_SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/io.h"
#include "mail/dotline.h"
#include "mail/envelope.h"
#include "mail/smtp_reply.h"

enum smtp_offer {
	SMTP_PIPELINING = 1,
	SMTP_SIZE = 2,
	SMTP_8BITMIME = 4,
	SMTP_SMTPUTF8 = 8,
	SMTP_CHUNKING = 16,
	SMTP_DSN = 32,
	SMTP_STARTTLS = 64,
	SMTP_REQUIRETLS = 128,
	SMTP_AUTH_PLAIN = 256,
	SMTP_AUTH_LOGIN = 512
};

enum smtp_outcome {
	SMTP_YES,
	SMTP_LATER, /* 4xx */
	SMTP_NEVER, /* 5xx */
	SMTP_LOST
};

enum smtp_lost { SMTP_TIMED_OUT, SMTP_CLOSED, SMTP_NONSENSE };

enum { SMTP_CLIENT_BYTES = 4096 };

struct smtp_client {
	struct io_reader in;
	struct io_writer out;
	bool lmtp;
	bool tls;  /* the caller says so, when it is: REQUIRETLS may be said */
	bool wait; /* the caller says so: DATA waits for what is said to every RCPT */
	int64_t deadline_ms;

	unsigned offers;   /* of enum smtp_offer */
	uint64_t size_max; /* 0: none */
	struct smtp_reply reply;
	enum smtp_lost lost;

	bool data_is_sent;
	size_t accepted; /* recipients */
	struct dotline_out text;
	char in_bytes[SMTP_CLIENT_BYTES], out_bytes[SMTP_CLIENT_BYTES];
};

struct smtp_message {
	const struct envelope *envelope;
	uint64_t size;  /* dotline_out's, of the whole text */
	bool eight_bit; /* it holds bytes beyond ASCII */
};

void smtp_client_open(struct smtp_client *c, int in, int out, bool lmtp, int64_t deadline_ms);

enum smtp_outcome smtp_client_greeting(struct smtp_client *c);

/* EHLO, else HELO; LHLO of LMTP. name: a domain or an address literal. */
enum smtp_outcome smtp_client_hello(struct smtp_client *c, const char *name);

/* SMTP_YES: the next byte either way is one of TLS. Then open anew and say hello again. */
enum smtp_outcome smtp_client_starttls(struct smtp_client *c);

/* By what is offered: some of SMTP_AUTH_* must be. SMTP_NEVER also for what cannot be said by it: code 0. */
enum smtp_outcome smtp_client_auth(struct smtp_client *c, const char *user, const char *password);

/* Can this server be given that message? NULL, or a sentence with its status code: it never can. */
const char *smtp_client_cannot(const struct smtp_client *c, const struct smtp_message *m);

/* Of each recipient, in the order of the envelope; reply is what was said to it. */
typedef void smtp_judged(void *arg, const char *recipient, enum smtp_outcome outcome);

/* MAIL and all RCPT. What comes back is MAIL's outcome, and judged is called only if that is SMTP_YES; or
 * SMTP_LOST at any time. With accepted == 0 nothing can follow but another envelope, or the end. */
enum smtp_outcome smtp_client_envelope(
	struct smtp_client *c, const struct smtp_message *m, smtp_judged *judged, void *arg);

enum smtp_outcome smtp_client_data(struct smtp_client *c);
enum smtp_outcome smtp_client_text(struct smtp_client *c, const char *p, size_t n);

/* The dot, and the answer to the message. LMTP answers for each recipient that it has accepted: said is called
 * with each, in their order, and what comes back is the worst. */
typedef void smtp_said(void *arg, enum smtp_outcome outcome);
enum smtp_outcome smtp_client_end(struct smtp_client *c, smtp_said *said, void *arg);

/* Nobody waits for what is said to that. */
void smtp_client_quit(struct smtp_client *c);

#endif
