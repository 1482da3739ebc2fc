#include "mail/smtp_client.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/num.h"
#include "mail/address.h"
#include "mail/base64.h"

/* RFC 5321 section 4.5.3.2; the first of the last two is for the reply to DATA, then for a block of text. */
enum {
	MINUTE_MS = 60 * 1000,
	GREETING_MS = 5 * MINUTE_MS,
	COMMAND_MS = 5 * MINUTE_MS,
	DATA_MS = 2 * MINUTE_MS,
	BLOCK_MS = 3 * MINUTE_MS,
	END_MS = 10 * MINUTE_MS,
	QUIT_MS = 1000,
	LAST_WORD_MS =
		1000 /* of a server that has hung up: what it said before is here, or comes at once */
};

/* So many replies may be on their way to us: they fit into any socket, and nobody waits for each other. */
enum { GROUP = 50 };

enum { PATH = 2 * ENVELOPE_ADDRESS_MAX + 8, AUTH_WORD = 512 };

void smtp_client_open(struct smtp_client *c, int in, int out, bool lmtp, int64_t deadline_ms)
{
	*c = (struct smtp_client){ .lmtp = lmtp, .deadline_ms = deadline_ms, .lost = SMTP_CLOSED };
	c->in = (struct io_reader){ .fd = in, .buf = c->in_bytes, .cap = sizeof c->in_bytes };
	c->out = (struct io_writer){ .fd = out, .buf = c->out_bytes, .cap = sizeof c->out_bytes };
}

/* ---- replies ------------------------------------------------------------------------------------------- */

static enum smtp_outcome lose(struct smtp_client *c, enum smtp_lost how)
{
	c->lost = how;
	c->in.state = IO_EOF; /* nothing is read from it any more */
	return SMTP_LOST;
}

static int64_t deadline_of(const struct smtp_client *c, int stage_ms)
{
	const int64_t deadline = clock_ms() + stage_ms;

	return deadline < c->deadline_ms ? deadline : c->deadline_ms;
}

/* The caller has more bytes to read, or none will come. */
static bool fill(struct smtp_client *c, int64_t deadline)
{
	c->in.timeout_ms = clock_left_ms(deadline);
	if (c->in.timeout_ms != 0 && io_fill(&c->in) == IO_OK)
		return true;
	lose(c, c->in.state == IO_OK || c->in.state == IO_TIMEOUT ? SMTP_TIMED_OUT : SMTP_CLOSED);
	return false;
}

static enum smtp_outcome outcome_of(unsigned code)
{
	if (code >= 500)
		return SMTP_NEVER;
	return code >= 400 ? SMTP_LATER : SMTP_YES;
}

/* each hears of every line behind the first. */
static enum smtp_outcome receive_lines(
	struct smtp_client *c, int stage_ms, void (*each)(struct smtp_client *c, const char *line))
{
	const int64_t deadline = deadline_of(c, stage_ms);

	smtp_reply_init(&c->reply);
	for (;;) {
		enum smtp_reply_state state;
		size_t used;

		if (c->in.from == c->in.to && !fill(c, deadline))
			return SMTP_LOST;
		state = smtp_reply_feed(&c->reply, c->in.buf + c->in.from, c->in.to - c->in.from, &used);
		c->in.from += used;
		if (state == SMTP_REPLY_BAD)
			return lose(c, SMTP_NONSENSE);
		if (state != SMTP_REPLY_MORE && each != NULL && c->reply.lines > 1)
			each(c, c->reply.line);
		if (state == SMTP_REPLY_WHOLE)
			return outcome_of(c->reply.code);
	}
}

static enum smtp_outcome receive(struct smtp_client *c, int stage_ms)
{
	return receive_lines(c, stage_ms, NULL);
}

/* 354, or what else is not "go on" and not "done". */
static enum smtp_outcome expect(struct smtp_client *c, int stage_ms, unsigned class)
{
	const enum smtp_outcome outcome = receive(c, stage_ms);

	if (outcome == SMTP_YES && c->reply.code / 100 != class)
		return lose(c, SMTP_NONSENSE);
	return outcome;
}

/* A server may hang up with a reason: that is worth more than "hung up". */
static enum smtp_outcome last_word(struct smtp_client *c)
{
	const enum smtp_lost how = c->out.state == IO_TIMEOUT ? SMTP_TIMED_OUT : SMTP_CLOSED;
	const enum smtp_outcome outcome = how == SMTP_CLOSED ? receive(c, LAST_WORD_MS) : SMTP_LOST;

	return outcome == SMTP_LATER || outcome == SMTP_NEVER ? outcome : lose(c, how);
}

/* ---- commands ------------------------------------------------------------------------------------------ */

static void say(struct smtp_client *c, const char *text)
{
	c->out.timeout_ms = clock_left_ms(deadline_of(c, COMMAND_MS));
	(void)io_put(&c->out, text, strlen(text)); /* its state stays */
}

static bool flush(struct smtp_client *c, int stage_ms)
{
	c->out.timeout_ms = clock_left_ms(deadline_of(c, stage_ms));
	return io_flush(&c->out) == IO_OK;
}

static enum smtp_outcome ask(struct smtp_client *c, const char *verb, const char *argument)
{
	say(c, verb);
	say(c, argument);
	say(c, "\r\n");
	if (!flush(c, COMMAND_MS))
		return last_word(c);
	return receive(c, COMMAND_MS);
}

enum smtp_outcome smtp_client_greeting(struct smtp_client *c)
{
	return expect(c, GREETING_MS, 2);
}

static bool is_word(const char *p)
{
	size_t n = 0;

	while (p[n] > ' ' && p[n] < 0x7f)
		n++;
	return n > 0 && p[n] == '\0';
}

/* ---- what is offered ----------------------------------------------------------------------------------- */

static void take_mechanisms(struct smtp_client *c, const char *p)
{
	for (p += strspn(p, " "); *p != '\0'; p += strspn(p, " ")) {
		const size_t n = strcspn(p, " ");

		if (n == 5 && strncasecmp(p, "PLAIN", n) == 0)
			c->offers |= SMTP_AUTH_PLAIN;
		if (n == 5 && strncasecmp(p, "LOGIN", n) == 0)
			c->offers |= SMTP_AUTH_LOGIN;
		p += n;
	}
}

static void take_size(struct smtp_client *c, const char *p)
{
	unsigned long max;

	c->offers |= SMTP_SIZE;
	p += strspn(p, " ");
	if (num_parse(p, 0, ~0UL, &max) == NULL)
		c->size_max = max;
}

/* A line of the answer to EHLO: "AUTH=PLAIN" is an old server's. */
static void take_offer(struct smtp_client *c, const char *line)
{
	static const struct {
		const char *word;
		enum smtp_offer offer;
	} words[] = {
		{ "PIPELINING", SMTP_PIPELINING },
		{ "8BITMIME", SMTP_8BITMIME },
		{ "SMTPUTF8", SMTP_SMTPUTF8 },
		{ "CHUNKING", SMTP_CHUNKING },
		{ "DSN", SMTP_DSN },
		{ "STARTTLS", SMTP_STARTTLS },
		{ "REQUIRETLS", SMTP_REQUIRETLS },
	};
	const size_t n = strcspn(line, " =");

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strlen(words[i].word) == n && strncasecmp(line, words[i].word, n) == 0)
			c->offers |= words[i].offer;
	if (n == 4 && strncasecmp(line, "SIZE", n) == 0)
		take_size(c, line + n);
	if (n == 4 && strncasecmp(line, "AUTH", n) == 0)
		take_mechanisms(c, line + n + (line[n] == '='));
}

enum smtp_outcome smtp_client_hello(struct smtp_client *c, const char *name)
{
	enum smtp_outcome outcome;

	c->offers = 0;
	c->size_max = 0;
	say(c, c->lmtp ? "LHLO " : "EHLO ");
	say(c, is_word(name) ? name : "localhost");
	say(c, "\r\n");
	if (!flush(c, COMMAND_MS))
		return last_word(c);
	outcome = receive_lines(c, COMMAND_MS, take_offer);
	if (outcome == SMTP_NEVER && !c->lmtp) /* RFC 5321 section 4.1.4: it may know HELO alone */
		outcome = ask(c, "HELO ", is_word(name) ? name : "localhost");
	if (outcome == SMTP_YES && c->reply.code / 100 != 2)
		return lose(c, SMTP_NONSENSE);
	return outcome;
}

enum smtp_outcome smtp_client_starttls(struct smtp_client *c)
{
	const enum smtp_outcome outcome = ask(c, "STARTTLS", "");

	if (outcome == SMTP_YES && (c->reply.code != 220 || c->in.from != c->in.to))
		return lose(c, SMTP_NONSENSE); /* what came before TLS must not count as said inside it */
	return outcome;
}

/* ---- AUTH ---------------------------------------------------------------------------------------------- */

static enum smtp_outcome auth_plain(struct smtp_client *c, const char *user, const char *password)
{
	char plain[2 * AUTH_WORD + 2], text[BASE64_LENGTH(sizeof plain) + 1];
	const size_t user_len = strlen(user), password_len = strlen(password);
	enum smtp_outcome outcome;

	plain[0] = '\0'; /* nobody else is to be acted as */
	memcpy(plain + 1, user, user_len + 1);
	memcpy(plain + user_len + 2, password, password_len);
	text[base64_encode(plain, user_len + password_len + 2, text)] = '\0';
	outcome = ask(c, "AUTH PLAIN ", text);
	explicit_bzero(plain, sizeof plain);
	explicit_bzero(text, sizeof text);
	return outcome;
}

static enum smtp_outcome auth_word(struct smtp_client *c, const char *word)
{
	char text[BASE64_LENGTH(AUTH_WORD) + 1];
	enum smtp_outcome outcome;

	text[base64_encode(word, strlen(word), text)] = '\0';
	outcome = ask(c, text, "");
	explicit_bzero(text, sizeof text);
	return outcome;
}

static enum smtp_outcome auth_login(struct smtp_client *c, const char *user, const char *password)
{
	enum smtp_outcome outcome = ask(c, "AUTH LOGIN", "");

	if (outcome == SMTP_YES && c->reply.code == 334)
		outcome = auth_word(c, user);
	if (outcome == SMTP_YES && c->reply.code == 334)
		outcome = auth_word(c, password);
	return outcome;
}

enum smtp_outcome smtp_client_auth(struct smtp_client *c, const char *user, const char *password)
{
	enum smtp_outcome outcome;

	smtp_reply_init(&c->reply);
	if (strlen(user) > AUTH_WORD || strlen(password) > AUTH_WORD)
		return SMTP_NEVER;
	if ((c->offers & SMTP_AUTH_PLAIN) != 0)
		outcome = auth_plain(c, user, password);
	else if ((c->offers & SMTP_AUTH_LOGIN) != 0)
		outcome = auth_login(c, user, password);
	else
		return SMTP_NEVER;
	if (outcome == SMTP_YES && c->reply.code / 100 != 2)
		return lose(c, SMTP_NONSENSE);
	return outcome;
}

/* ---- MAIL and RCPT ------------------------------------------------------------------------------------- */

static const char *cannot_note(const char *address, char letter)
{
	const char *note = envelope_find_note(address, letter);

	return note == NULL || is_word(note) ? NULL : "a note in the envelope holds what none can (#5.5.4)";
}

static const char *cannot_address(const struct smtp_client *c, const char *address)
{
	static const char notes[] = { ENVELOPE_ENVID, ENVELOPE_RET, ENVELOPE_NOTIFY, ENVELOPE_ORCPT };
	const char *wrong = NULL;
	char memory[PATH];
	struct str path;
	bool utf8;

	str_init(&path, memory, sizeof memory);
	if (!address_put_path(&path, address, &utf8) || path.full)
		return "an address holds what none can (#5.1.3)";
	if (utf8 && (c->offers & SMTP_SMTPUTF8) == 0)
		return "an address needs SMTPUTF8, which is not offered (#5.6.7)";
	for (size_t i = 0; wrong == NULL && i < sizeof notes; i++)
		wrong = cannot_note(address, notes[i]);
	return wrong;
}

const char *smtp_client_cannot(const struct smtp_client *c, const struct smtp_message *m)
{
	const char *sender = envelope_sender(m->envelope), *wrong = cannot_address(c, sender);

	for (const char *to = NULL; wrong == NULL && (to = envelope_next(m->envelope, to)) != NULL;)
		wrong = *to == '\0' ? "a recipient is empty (#5.1.3)" : cannot_address(c, to);
	if (wrong != NULL)
		return wrong;
	if (envelope_find_note(sender, ENVELOPE_BODY) != NULL)
		return "a message in BINARYMIME is not sent on (#5.6.1)";
	if (envelope_find_note(sender, ENVELOPE_REQUIRETLS) != NULL &&
		(!c->tls || (c->offers & SMTP_REQUIRETLS) == 0))
		return "the message requires TLS on its whole way (#5.7.30)";
	if (c->size_max > 0 && m->size > c->size_max)
		return "the message is larger than what is taken there (#5.3.4)";
	return NULL;
}

/* smtp_client_cannot has looked at all of them. */
static void say_path(struct smtp_client *c, const char *verb, const char *address)
{
	char memory[PATH];
	struct str path;
	bool utf8;

	str_init(&path, memory, sizeof memory);
	(void)!address_put_path(&path, address, &utf8);
	say(c, verb);
	say(c, path.s);
	say(c, ">");
}

static void say_note(struct smtp_client *c, const char *word, const char *address, char letter)
{
	const char *note = envelope_find_note(address, letter);

	if (note == NULL || (c->offers & SMTP_DSN) == 0)
		return;
	say(c, word);
	say(c, note);
}

static bool needs_utf8(const struct envelope *e)
{
	for (const char *a = envelope_sender(e); a != NULL;
		a = envelope_next(e, a == envelope_sender(e) ? NULL : a))
		for (const char *p = a; *p != '\0'; p++)
			if ((unsigned char)*p >= 0x80)
				return true;
	return false;
}

static void say_size(struct smtp_client *c, uint64_t size)
{
	char memory[24];
	struct str text;

	if ((c->offers & SMTP_SIZE) == 0)
		return;
	str_init(&text, memory, sizeof memory);
	str_putu(&text, (unsigned long)size);
	say(c, " SIZE=");
	say(c, text.s);
}

static void say_mail(struct smtp_client *c, const struct smtp_message *m)
{
	const char *sender = envelope_sender(m->envelope);

	say_path(c, "MAIL FROM:<", sender);
	say_size(c, m->size);
	if (m->eight_bit && (c->offers & SMTP_8BITMIME) != 0)
		say(c, " BODY=8BITMIME");
	if (needs_utf8(m->envelope))
		say(c, " SMTPUTF8");
	say_note(c, " RET=", sender, ENVELOPE_RET);
	say_note(c, " ENVID=", sender, ENVELOPE_ENVID);
	if (envelope_find_note(sender, ENVELOPE_REQUIRETLS) != NULL)
		say(c, " REQUIRETLS");
	say(c, "\r\n");
}

static void say_rcpt(struct smtp_client *c, const char *recipient)
{
	say_path(c, "RCPT TO:<", recipient);
	say_note(c, " NOTIFY=", recipient, ENVELOPE_NOTIFY);
	say_note(c, " ORCPT=", recipient, ENVELOPE_ORCPT);
	say(c, "\r\n");
}

/* A group of commands is out, MAIL first in the first of them: what is said to each recipient from from to to. */
struct group {
	const char *from, *to; /* to: the first of the next group, or NULL */
	bool with_mail;
};

/* Nobody was refused yet whose refusal should keep DATA back. */
static bool may_say_data(const struct smtp_client *c, const struct smtp_message *m)
{
	return (c->offers & SMTP_PIPELINING) != 0 && (!c->wait || m->envelope->recipients == 1);
}

static void say_group(struct smtp_client *c, const struct smtp_message *m, struct group *g)
{
	const size_t most = (c->offers & SMTP_PIPELINING) != 0 ? GROUP : 1;
	size_t said = g->with_mail;

	if (g->with_mail)
		say_mail(c, m);
	for (g->to = g->from; g->to != NULL && said < most; said++) {
		say_rcpt(c, g->to);
		g->to = envelope_next(m->envelope, g->to);
	}
	if (g->to == NULL && may_say_data(c, m)) {
		say(c, "DATA\r\n");
		c->data_is_sent = true;
	}
}

/* What MAIL was told is kept while the replies to its recipients are read and thrown away. */
static enum smtp_outcome refuse_all(
	struct smtp_client *c, const struct smtp_message *m, struct group *g, enum smtp_outcome outcome)
{
	const struct smtp_reply kept = c->reply;

	if (c->reply.code != 421)
		for (const char *to = g->from; to != g->to; to = envelope_next(m->envelope, to))
			if (receive(c, COMMAND_MS) == SMTP_LOST)
				break;
	c->reply = kept;
	return outcome;
}

static enum smtp_outcome hear_group(struct smtp_client *c, const struct smtp_message *m, struct group *g,
	smtp_judged *judged, void *arg)
{
	enum smtp_outcome outcome;

	if (g->with_mail) {
		outcome = expect(c, COMMAND_MS, 2);
		if (outcome != SMTP_YES)
			return outcome == SMTP_LOST ? outcome : refuse_all(c, m, g, outcome);
	}
	for (const char *to = g->from; to != g->to; to = envelope_next(m->envelope, to)) {
		outcome = expect(c, COMMAND_MS, 2);
		if (outcome == SMTP_LOST)
			return outcome;
		c->accepted += outcome == SMTP_YES;
		judged(arg, to, outcome);
	}
	return SMTP_YES;
}

/* RFC 2920 section 3.1: a server that has nobody to send to and still says 354 gets a dot. */
static enum smtp_outcome take_back_data(struct smtp_client *c)
{
	const struct smtp_reply kept = c->reply;
	enum smtp_outcome outcome = receive(c, DATA_MS);

	c->data_is_sent = false;
	if (outcome == SMTP_YES && c->reply.code == 354) {
		say(c, ".\r\n");
		outcome = flush(c, COMMAND_MS) ? receive(c, END_MS) : SMTP_LOST;
	}
	c->reply = kept;
	return outcome;
}

enum smtp_outcome smtp_client_envelope(
	struct smtp_client *c, const struct smtp_message *m, smtp_judged *judged, void *arg)
{
	struct group g = { .to = envelope_next(m->envelope, NULL), .with_mail = true };
	enum smtp_outcome outcome = SMTP_YES;

	c->accepted = 0;
	c->data_is_sent = false;
	do {
		g.from = g.to;
		say_group(c, m, &g);
		if (!flush(c, COMMAND_MS))
			return last_word(c);
		outcome = hear_group(c, m, &g, judged, arg);
		g.with_mail = false;
	} while (outcome == SMTP_YES && g.to != NULL);
	if (c->data_is_sent && c->accepted == 0 && outcome != SMTP_LOST && c->reply.code != 421)
		(void)take_back_data(c); /* what was said before counts */
	return outcome;
}

/* ---- the text ------------------------------------------------------------------------------------------ */

enum smtp_outcome smtp_client_data(struct smtp_client *c)
{
	enum smtp_outcome outcome;

	if (!c->data_is_sent) {
		say(c, "DATA\r\n");
		if (!flush(c, COMMAND_MS))
			return last_word(c);
	}
	c->data_is_sent = false;
	dotline_out_init(&c->text);
	outcome = receive(c, DATA_MS);
	if (outcome == SMTP_YES && c->reply.code != 354)
		return lose(c, SMTP_NONSENSE);
	return outcome;
}

enum smtp_outcome smtp_client_text(struct smtp_client *c, const char *p, size_t n)
{
	char wire[DOTLINE_OUT_ROOM(SMTP_CLIENT_BYTES)];

	while (n > 0) {
		const size_t part = n < SMTP_CLIENT_BYTES ? n : SMTP_CLIENT_BYTES;
		const size_t len = dotline_encode(&c->text, p, part, wire);

		c->out.timeout_ms = clock_left_ms(deadline_of(c, BLOCK_MS));
		if (io_put(&c->out, wire, len) != IO_OK)
			return last_word(c);
		p += part;
		n -= part;
	}
	return SMTP_YES;
}

static enum smtp_outcome worse(enum smtp_outcome a, enum smtp_outcome b)
{
	return a > b ? a : b;
}

enum smtp_outcome smtp_client_end(struct smtp_client *c, smtp_said *said, void *arg)
{
	char wire[DOTLINE_OUT_ROOM(0)];
	const size_t len = dotline_encode_end(&c->text, wire);
	enum smtp_outcome worst = SMTP_YES;

	c->out.timeout_ms = clock_left_ms(deadline_of(c, BLOCK_MS));
	if (io_put(&c->out, wire, len) != IO_OK || !flush(c, BLOCK_MS))
		return last_word(c);
	for (size_t i = 0; i < (c->lmtp ? c->accepted : 1) && worst != SMTP_LOST; i++) {
		const enum smtp_outcome outcome = expect(c, END_MS, 2);

		if (said != NULL && outcome != SMTP_LOST)
			said(arg, outcome);
		worst = worse(worst, outcome);
	}
	return worst;
}

void smtp_client_quit(struct smtp_client *c)
{
	say(c, "QUIT\r\n");
	(void)flush(c, QUIT_MS);
}
