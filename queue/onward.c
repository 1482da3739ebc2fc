#include "queue/onward.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/errtext.h"
#include "base/house.h"
#include "base/log.h"
#include "base/str.h"
#include "mail/control.h"

/* Of an answer: what stands in it besides the reply of the server. */
enum { RECIPIENT_SHOWN = 64, SERVER_SHOWN = 64, REPLY_SHOWN = 90, HOST_NAME = 256 };

/* ---- answers ------------------------------------------------------------------------------------------- */

static void log_two(const struct onward *o, const char *text, const char *more)
{
	char memory[LOG_LINE];
	struct str line;

	str_init(&line, memory, sizeof memory);
	str_puts(&line, o->where);
	str_puts(&line, ": ");
	str_puts(&line, text);
	str_puts(&line, more);
	log_line(line.s, line.len);
}

static _Noreturn void end(struct onward *o, enum door_exit code)
{
	if (o->client.out.buf != NULL)
		smtp_client_quit(&o->client);
	_exit((int)code);
}

void onward_fail(struct onward *o, enum door_exit code, const char *why)
{
	log_two(o, why, "");
	_exit((int)code);
}

void onward_answer(struct onward *o, char letter, const char *text)
{
	log_two(o, letter == 'D' ? "refused: " : "not now: ", text);
	door_tell(letter, text);
	end(o, DOOR_CUSTOM);
}

static void put_some(struct str *to, const char *text, size_t max)
{
	str_put_printable(to, text, strnlen(text, max));
}

/* The status is the server's own, if that says as much as our letter. */
static void put_status(struct str *to, const struct smtp_reply *r, char letter, const char *otherwise)
{
	const char class = letter == 'D' ? '5' : '4';

	str_puts(to, " (#");
	str_putc(to, class);
	str_puts(to, r->status[0] == class ? r->status + 1 : otherwise);
	str_putc(to, ')');
}

/* "mx.example.org does not like <u@b.example>: 550 5.1.1 no such user (#5.1.1)". status: ".1.1", if the server says
 * none. */
static _Noreturn void answer_reply(struct onward *o, char letter, const char *what, const char *recipient,
	const struct smtp_reply *r, const char *status)
{
	char memory[DOOR_TEXT - 1];
	struct str text;

	str_init(&text, memory, sizeof memory);
	put_some(&text, o->server, SERVER_SHOWN);
	str_puts(&text, what);
	if (recipient != NULL) {
		str_puts(&text, " <");
		put_some(&text, recipient, RECIPIENT_SHOWN);
		str_putc(&text, '>');
	}
	str_puts(&text, ": ");
	smtp_reply_put(r, &text, REPLY_SHOWN);
	put_status(&text, r, letter, status);
	onward_answer(o, letter, text.s);
}

static const char *how_lost(enum smtp_lost how)
{
	switch (how) {
	case SMTP_TIMED_OUT:
		return "timed out ";
	case SMTP_CLOSED:
		return "connection died ";
	default:
		return "an answer that is none ";
	}
}

static _Noreturn void answer_lost(struct onward *o, const char *when)
{
	log_two(o, how_lost(o->client.lost), when);
	_exit(o->client.lost == SMTP_TIMED_OUT ? DOOR_SERVER_SILENT : DOOR_LOST);
}

void onward_not_served(struct onward *o, enum smtp_outcome outcome, const char *what)
{
	if (outcome == SMTP_LOST)
		answer_lost(o, "before it took anything");
	answer_reply(o, 'Z', what, NULL, &o->client.reply, ".3.0");
}

/* ---- the message --------------------------------------------------------------------------------------- */

void onward_read(struct onward *o)
{
	enum door_exit got = held_fill(&o->message);

	if (got != DOOR_KEPT)
		onward_fail(o, got, errtext(errno));
	envelope_init(&o->envelope, o->envelope_bytes, sizeof o->envelope_bytes);
	got = door_read_envelope(&o->envelope);
	if (got != DOOR_KEPT)
		_exit((int)got); /* whoever hands in knows */
	if (o->envelope.recipients == 0)
		_exit(DOOR_KEPT); /* for nobody: it goes to nobody, as in qmail */
}

enum smtp_outcome onward_greet(struct onward *o, int fd, bool lmtp, const char *name, int64_t deadline_ms)
{
	enum smtp_outcome outcome;

	smtp_client_open(&o->client, fd, fd, lmtp, deadline_ms);
	o->client.wait = true; /* for what is said to each recipient */
	outcome = smtp_client_greeting(&o->client);
	return outcome == SMTP_YES ? smtp_client_hello(&o->client, name) : outcome;
}

const char *onward_name(struct onward *o)
{
	static char system[HOST_NAME];
	const int home = open(house_home(), O_DIRECTORY | O_PATH | O_CLOEXEC);
	const int dir = home == -1 ? -1 : openat(home, "control", O_DIRECTORY | O_PATH | O_CLOEXEC);
	const char *me = NULL;

	if (dir != -1 && control_line(dir, "me", &me) == CONTROL_ERROR)
		onward_fail(o, DOOR_CONFIGURATION, "unable to read control/me");
	if (me != NULL && me[0] != '\0')
		return me;
	return gethostname(system, sizeof system - 1) == 0 ? system : "localhost";
}

/* ---- sending ------------------------------------------------------------------------------------------- */

/* Is it us, rather than the message, that the server does not like? RFC 4954 section 6: 530, 534, 535, 538. */
static bool is_about_us(const struct smtp_reply *r)
{
	return r->code >= 530 && r->code <= 538;
}

static char letter_of(enum smtp_outcome outcome, const struct smtp_reply *r)
{
	return outcome == SMTP_NEVER && !is_about_us(r) ? 'D' : 'Z';
}

/* The one refusal that is told of: a permanent one counts more. */
struct refusal {
	const char *recipient;
	enum smtp_outcome outcome;
	struct smtp_reply reply;
	struct onward *onward;
	size_t yes;
};

struct hearing {
	struct refusal worst;
	const char *at; /* the recipient that was told of last */
};

static void keep(struct refusal *r, const char *recipient, enum smtp_outcome outcome)
{
	if (outcome == SMTP_YES)
		r->yes++;
	if (outcome <= r->outcome)
		return;
	r->outcome = outcome;
	r->recipient = recipient;
	r->reply = r->onward->client.reply;
}

static void judge(void *arg, const char *recipient, enum smtp_outcome outcome)
{
	keep(arg, recipient, outcome);
}

static void offer_envelope(struct onward *o)
{
	const struct smtp_message m = {
		.envelope = &o->envelope, .size = o->message.size, .eight_bit = o->message.eight_bit
	};
	const char *cannot = smtp_client_cannot(&o->client, &m);
	struct refusal r = { .outcome = SMTP_YES, .onward = o };
	enum smtp_outcome outcome;

	if (cannot != NULL)
		onward_answer(o, 'D', cannot);
	outcome = smtp_client_envelope(&o->client, &m, judge, &r);
	if (r.outcome != SMTP_YES) /* also if it has gone since */
		answer_reply(
			o, letter_of(r.outcome, &r.reply), " does not like", r.recipient, &r.reply, ".1.0");
	if (outcome == SMTP_LOST)
		answer_lost(o, "before the message");
	if (outcome != SMTP_YES)
		answer_reply(o, letter_of(outcome, &o->client.reply), " does not like the sender", NULL,
			&o->client.reply, ".1.0");
}

static void check_message(struct onward *o, enum smtp_outcome outcome)
{
	if (outcome == SMTP_LOST)
		answer_lost(o, "in the message");
	if (outcome != SMTP_YES)
		answer_reply(o, letter_of(outcome, &o->client.reply), " does not take the message", NULL,
			&o->client.reply, ".3.0");
}

static void send_text(struct onward *o)
{
	ssize_t n;

	check_message(o, smtp_client_data(&o->client));
	while ((n = held_next(&o->message)) > 0)
		check_message(o, smtp_client_text(&o->client, o->message.bytes, (size_t)n));
	if (n == -1)
		onward_fail(
			o, DOOR_READ, "unable to read the message again"); /* no dot: it has not got it */
}

/* ---- the answer to it ---------------------------------------------------------------------------------- */

/* Of LMTP, each recipient in turn. Some may have it now, others not: a refusal for now counts more here, since
 * twice is better than not at all. */
static void hear(void *arg, enum smtp_outcome outcome)
{
	struct hearing *h = arg;
	struct onward *o = h->worst.onward;

	if (o->client.lmtp)
		h->at = envelope_next(&o->envelope, h->at);
	if (outcome == SMTP_LATER && h->worst.outcome == SMTP_NEVER)
		h->worst.outcome = SMTP_YES;
	keep(&h->worst, h->at, outcome);
}

static void log_half(const struct onward *o, size_t yes)
{
	char memory[64];
	struct str text;

	if (yes == 0)
		return;
	str_init(&text, memory, sizeof memory);
	str_putu(&text, yes);
	str_puts(&text, " of ");
	str_putu(&text, o->envelope.recipients);
	log_two(o, text.s, " recipients have the message");
}

static void log_taken(struct onward *o)
{
	char memory[LOG_LINE / 2];
	struct str text;

	str_init(&text, memory, sizeof memory);
	smtp_reply_put(&o->client.reply, &text, sizeof memory - 1);
	log_two(o, "taken: ", text.s);
}

void onward_send(struct onward *o)
{
	struct hearing h = { .worst = { .outcome = SMTP_YES, .onward = o } };
	const struct refusal *r = &h.worst;
	enum smtp_outcome outcome;

	offer_envelope(o);
	send_text(o);
	outcome = smtp_client_end(&o->client, hear, &h);
	if (outcome != SMTP_YES)
		log_half(o, r->yes);
	if (outcome == SMTP_LOST)
		onward_answer(o, 'Z',
			o->client.lost == SMTP_TIMED_OUT
				? "no answer to the message. Possible duplicate! (#4.4.2)"
				: "connection died before the answer to the message. Possible duplicate! "
				  "(#4.4.2)");
	if (outcome != SMTP_YES &&
		r->outcome == SMTP_YES) /* said while the text was on its way, before it hung up */
		keep(&h.worst, NULL, outcome);
	if (outcome != SMTP_YES)
		answer_reply(o, letter_of(r->outcome, &r->reply),
			r->recipient == NULL ? " does not take the message" : " does not deliver to",
			r->recipient, &r->reply, ".3.0");
	log_taken(o);
	end(o, DOOR_KEPT);
}
