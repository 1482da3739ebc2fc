/* Who a message is from and for: MAIL and RCPT, in groups where the server pipelines. */
#include <string.h>

#include "base/str.h"
#include "mail/address.h"
#include "mail/smtp_client_inside.h"

/* So many replies may be on their way to us: they fit into any socket, and nobody waits for each other. */
enum { GROUP = 50 };

enum { PATH = 2 * ENVELOPE_ADDRESS_MAX + 8 };

/* ---- MAIL and RCPT ------------------------------------------------------------------------------------- */

static const char *cannot_note(const char *address, char letter)
{
	const char *note = envelope_find_note(address, letter);

	return note == NULL || smtp_is_word(note) ? NULL
						  : "a note in the envelope holds what none can (#5.5.4)";
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
	smtp_say(c, verb);
	smtp_say(c, path.s);
	smtp_say(c, ">");
}

static void say_note(struct smtp_client *c, const char *word, const char *address, char letter)
{
	const char *note = envelope_find_note(address, letter);

	if (note == NULL || (c->offers & SMTP_DSN) == 0)
		return;
	smtp_say(c, word);
	smtp_say(c, note);
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
	smtp_say(c, " SIZE=");
	smtp_say(c, text.s);
}

static void say_mail(struct smtp_client *c, const struct smtp_message *m)
{
	const char *sender = envelope_sender(m->envelope);

	say_path(c, "MAIL FROM:<", sender);
	say_size(c, m->size);
	if (m->eight_bit && (c->offers & SMTP_8BITMIME) != 0)
		smtp_say(c, " BODY=8BITMIME");
	if (needs_utf8(m->envelope))
		smtp_say(c, " SMTPUTF8");
	say_note(c, " RET=", sender, ENVELOPE_RET);
	say_note(c, " ENVID=", sender, ENVELOPE_ENVID);
	if (envelope_find_note(sender, ENVELOPE_REQUIRETLS) != NULL)
		smtp_say(c, " REQUIRETLS");
	smtp_say(c, "\r\n");
}

static void say_rcpt(struct smtp_client *c, const char *recipient)
{
	say_path(c, "RCPT TO:<", recipient);
	say_note(c, " NOTIFY=", recipient, ENVELOPE_NOTIFY);
	say_note(c, " ORCPT=", recipient, ENVELOPE_ORCPT);
	smtp_say(c, "\r\n");
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
		smtp_say(c, "DATA\r\n");
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
			if (smtp_receive(c, SMTP_COMMAND_MS) == SMTP_LOST)
				break;
	c->reply = kept;
	return outcome;
}

static enum smtp_outcome hear_group(struct smtp_client *c, const struct smtp_message *m, struct group *g,
	smtp_judged *judged, void *arg)
{
	enum smtp_outcome outcome;

	if (g->with_mail) {
		outcome = smtp_expect(c, SMTP_COMMAND_MS, 2);
		if (outcome != SMTP_YES)
			return outcome == SMTP_LOST ? outcome : refuse_all(c, m, g, outcome);
	}
	for (const char *to = g->from; to != g->to; to = envelope_next(m->envelope, to)) {
		outcome = smtp_expect(c, SMTP_COMMAND_MS, 2);
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
	enum smtp_outcome outcome = smtp_receive(c, SMTP_DATA_MS);

	c->data_is_sent = false;
	if (outcome == SMTP_YES && c->reply.code == 354) {
		smtp_say(c, ".\r\n");
		outcome = smtp_flush(c, SMTP_COMMAND_MS) ? smtp_receive(c, SMTP_END_MS) : SMTP_LOST;
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
		if (!smtp_flush(c, SMTP_COMMAND_MS))
			return smtp_last_word(c);
		outcome = hear_group(c, m, &g, judged, arg);
		g.with_mail = false;
	} while (outcome == SMTP_YES && g.to != NULL);
	if (c->data_is_sent && c->accepted == 0 && outcome != SMTP_LOST && c->reply.code != 421)
		(void)take_back_data(c); /* what was said before counts */
	return outcome;
}
