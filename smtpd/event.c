#include "smtpd/event.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "smtpd/policy_ask.h"
#include "smtpd/session.h"

enum { VALUE_MAX = 255 }; /* bytes of the line: more ends in "..." */

static bool json;

void event_as_json(void)
{
	json = true;
	log_plain();
}

/* ---- one name and its value ---------------------------------------------------------------------------- */

static void put_name(struct str *line, const char *name)
{
	if (line->len > 0)
		str_putc(line, json ? ',' : ' ');
	str_puts(line, json ? "\"" : "");
	str_puts(line, name);
	str_puts(line, json ? "\":" : "=");
}

/* Blanks are a byte like any other in a string of JSON, and the end of a value elsewhere. */
static void put_bytes(struct str *line, const char *value)
{
	const size_t end = line->len + VALUE_MAX;

	for (; *value != '\0'; value++) {
		if (line->len >= end) {
			str_puts(line, "...");
			return;
		}
		if (json && (*value == '"' || *value == '\\'))
			str_putc(line, '\\');
		str_putc(line, (*value > ' ' && *value <= '~') || (json && *value == ' ') ? *value : '?');
	}
}

static void put_pair(struct str *line, const char *name, const char *value)
{
	put_name(line, name);
	str_puts(line, json ? "\"" : "");
	put_bytes(line, value);
	str_puts(line, json ? "\"" : "");
}

static void put_known(struct str *line, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		put_pair(line, name, value);
}

static void put_number(struct str *line, const char *name, uint64_t n)
{
	put_name(line, name);
	str_putu(line, (unsigned long)n);
}

static void put_address(struct str *line, const char *name, const char *address)
{
	put_name(line, name);
	str_puts(line, json ? "\"" : "<");
	put_bytes(line, address);
	str_puts(line, json ? "\"" : ">");
}

/* The last: the rest of the line, blanks and all. */
static void put_text(struct str *line, const char *text)
{
	if (json) {
		put_pair(line, "text", text);
		return;
	}
	put_name(line, "text");
	str_put_printable(line, text, strlen(text));
}

/* ---- lines --------------------------------------------------------------------------------------------- */

/* Which command, in small letters; "start" before the first, "command" when it is none of ours. */
static void put_stage(struct str *line, const struct session *s)
{
	const char *verb = s->verb != NULL ? s->verb : s->spoke ? "command" : "start";
	char memory[16];
	struct str stage;

	str_init(&stage, memory, sizeof memory);
	for (; *verb != '\0'; verb++)
		str_putc(&stage, (char)(*verb >= 'A' && *verb <= 'Z' ? *verb - 'A' + 'a' : *verb));
	put_pair(line, "stage", stage.s);
}

static void begin(struct str *line, char memory[LOG_LINE], const struct session *s)
{
	const char *ip = s->ucspi[UCSPI_REMOTEIP];

	str_init(line, memory, LOG_LINE);
	str_puts(line, json ? "{\"program\":\"smtpd\"" : "");
	put_pair(line, "client", ip != NULL ? ip : "unknown");
	put_stage(line, s);
}

/* The one who is known; of an AUTH that is going on, the one whom it names. */
static const char *user(const struct session *s)
{
	const bool here = s->verb != NULL && strcmp(s->verb, "AUTH") == 0;

	return here && s->auth.tried[0] != '\0' ? s->auth.tried : s->user;
}

static void end(struct str *line, const struct session *s, const char *text)
{
	put_known(line, "session", s->id);
	if (s->tls.on)
		put_pair(line, "tls", s->tls.version != NULL ? s->tls.version : "yes");
	put_known(line, "user", user(s));
	if (text != NULL)
		put_text(line, text);
	str_puts(line, json ? "}" : "");
	log_line(line->s, line->len);
}

/* A sender that a policy refuses is known, though there is no transaction. */
static void put_envelope(struct str *line, const struct session *s, enum reply r)
{
	const bool mail = r == REPLY_POLICY && s->verb != NULL && strcmp(s->verb, "MAIL") == 0;

	if (s->state != STATE_IDLE || mail)
		put_address(line, "from", s->sender.text);
	if (s->state != STATE_IDLE)
		put_address(line, "to", s->recipient.text);
}

void event_refused(const struct session *s, enum reply r)
{
	char memory[LOG_LINE];
	struct str line;

	begin(&line, memory, s);
	put_number(&line, "code", (uint64_t)reply_code_now(s, r));
	put_pair(&line, "reason", reply_reason(r));
	if (r == REPLY_POLICY)
		put_pair(&line, "policy", policy_ask_said(s)->by);
	put_known(&line, "helo", s->helo);
	put_envelope(&line, s, r);
	end(&line, s, reply_is_listing(r) ? s->listing->text : NULL);
}

void event_auth(const struct session *s, const char *mechanism)
{
	char memory[LOG_LINE];
	struct str line;

	begin(&line, memory, s);
	put_number(&line, "code", (uint64_t)reply_code(REPLY_AUTH_OK));
	put_pair(&line, "reason", reply_reason(REPLY_AUTH_OK));
	put_pair(&line, "mech", mechanism);
	end(&line, s, NULL);
}

void event_message(const struct session *s, const struct door_answer *a, uint64_t bytes)
{
	char memory[LOG_LINE];
	struct str line;

	begin(&line, memory, s);
	put_number(&line, "code", a->letter == 'K' ? 250 : a->letter == 'D' ? 554 : 451);
	put_pair(&line, "reason",
		a->letter != 'K'         ? "queue"
		: policy_ask_discards(s) ? "discarded"
					 : "queued");
	put_known(&line, "helo", s->helo);
	put_address(&line, "from", s->sender.text);
	put_number(&line, "rcpts", s->envelope.recipients);
	put_number(&line, "bytes", bytes);
	put_number(&line, "qp", s->door->qp);
	put_known(&line, "tags", policy_ask_tags(s));
	end(&line, s, a->letter == 'K' ? NULL : a->text);
}

void event_trouble(const struct session *s, const char *what, const char *why)
{
	char memory[LOG_LINE];
	struct str line;

	begin(&line, memory, s);
	put_pair(&line, "trouble", what);
	end(&line, s, why);
}
