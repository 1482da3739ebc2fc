/* What a server offers, and who we are: EHLO, STARTTLS, AUTH. */
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "mail/base64.h"
#include "mail/smtp_client_inside.h"

enum { AUTH_WORD = 512 };

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
	smtp_say(c, c->lmtp ? "LHLO " : "EHLO ");
	smtp_say(c, smtp_is_word(name) ? name : "localhost");
	smtp_say(c, "\r\n");
	if (!smtp_flush(c, SMTP_COMMAND_MS))
		return smtp_last_word(c);
	outcome = smtp_receive_lines(c, SMTP_COMMAND_MS, take_offer);
	if (outcome == SMTP_NEVER && !c->lmtp) /* RFC 5321 section 4.1.4: it may know HELO alone */
		outcome = smtp_ask(c, "HELO ", smtp_is_word(name) ? name : "localhost");
	if (outcome == SMTP_YES && c->reply.code / 100 != 2)
		return smtp_lose(c, SMTP_NONSENSE);
	return outcome;
}

enum smtp_outcome smtp_client_starttls(struct smtp_client *c)
{
	const enum smtp_outcome outcome = smtp_ask(c, "STARTTLS", "");

	if (outcome == SMTP_YES && (c->reply.code != 220 || c->in.from != c->in.to))
		return smtp_lose(
			c, SMTP_NONSENSE); /* what came before TLS must not count as said inside it */
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
	outcome = smtp_ask(c, "AUTH PLAIN ", text);
	explicit_bzero(plain, sizeof plain);
	explicit_bzero(text, sizeof text);
	return outcome;
}

static enum smtp_outcome auth_word(struct smtp_client *c, const char *word)
{
	char text[BASE64_LENGTH(AUTH_WORD) + 1];
	enum smtp_outcome outcome;

	text[base64_encode(word, strlen(word), text)] = '\0';
	outcome = smtp_ask(c, text, "");
	explicit_bzero(text, sizeof text);
	return outcome;
}

static enum smtp_outcome auth_login(struct smtp_client *c, const char *user, const char *password)
{
	enum smtp_outcome outcome = smtp_ask(c, "AUTH LOGIN", "");

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
		return smtp_lose(c, SMTP_NONSENSE);
	return outcome;
}
