#include "smtpd/event.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "smtpd/policy_ask.h"

static void put_value(struct str *line, const char *value)
{
	for (; *value != '\0'; value++)
		str_putc(line, *value > ' ' && *value <= '~' ? *value : '?');
}

static void put_pair(struct str *line, const char *name, const char *value)
{
	str_putc(line, ' ');
	str_puts(line, name);
	str_putc(line, '=');
	put_value(line, value);
}

/* The rest of the line, blanks and all. */
static void put_text(struct str *line, const char *text)
{
	str_puts(line, " text=");
	str_put_printable(line, text, strlen(text));
}

static void put_number(struct str *line, const char *name, uint64_t n)
{
	str_putc(line, ' ');
	str_puts(line, name);
	str_putc(line, '=');
	str_putu(line, (unsigned long)n);
}

static void put_address(struct str *line, const char *name, const char *address)
{
	str_putc(line, ' ');
	str_puts(line, name);
	str_puts(line, "=<");
	put_value(line, address);
	str_putc(line, '>');
}

/* Which command, in small letters; "start" before the first, "command" when it is none of ours. */
static void put_stage(struct str *line, const struct session *s)
{
	const char *c = s->verb != NULL ? s->verb : s->spoke ? "command" : "start";

	str_puts(line, " stage=");
	for (; *c != '\0'; c++)
		str_putc(line, (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c));
}

static void start(struct str *line, const struct session *s)
{
	const char *ip = s->ucspi[UCSPI_REMOTEIP];

	str_puts(line, "client=");
	put_value(line, ip != NULL ? ip : "unknown");
	put_stage(line, s);
}

void event_refused(const struct session *s, enum reply r)
{
	char memory[LOG_LINE];
	struct str line;

	str_init(&line, memory, sizeof memory);
	start(&line, s);
	put_number(&line, "code", (uint64_t)reply_code_now(s, r));
	put_pair(&line, "reason", reply_reason(r));
	if (r == REPLY_POLICY)
		put_pair(&line, "policy", policy_ask_said(s)->by);
	if (s->helo[0] != '\0')
		put_pair(&line, "helo", s->helo);
	if (s->state != STATE_IDLE) {
		put_address(&line, "from", s->sender.text);
		put_address(&line, "to", s->recipient.text);
	}
	log_line(line.s, line.len);
}

void event_message(const struct session *s, const struct door_answer *a, uint64_t bytes)
{
	char memory[LOG_LINE];
	struct str line;

	str_init(&line, memory, sizeof memory);
	start(&line, s);
	put_pair(&line, "code", a->letter == 'K' ? "250" : a->letter == 'D' ? "554" : "451");
	put_pair(&line, "reason",
		a->letter != 'K'         ? "queue"
		: policy_ask_discards(s) ? "discarded"
					 : "queued");
	put_pair(&line, "helo", s->helo);
	put_address(&line, "from", s->sender.text);
	put_number(&line, "rcpts", s->envelope.recipients);
	put_number(&line, "bytes", bytes);
	put_number(&line, "qp", (uint64_t)s->door.pid);
	if (policy_ask_tags(s)[0] != '\0')
		put_pair(&line, "tags", policy_ask_tags(s));
	if (a->letter != 'K')
		put_text(&line, a->text);
	log_line(line.s, line.len);
}

void event_trouble(const struct session *s, const char *what, const char *why)
{
	char memory[LOG_LINE];
	struct str line;

	str_init(&line, memory, sizeof memory);
	start(&line, s);
	put_pair(&line, "trouble", what);
	put_text(&line, why);
	log_line(line.s, line.len);
}
