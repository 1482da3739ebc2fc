#include "mail/smtp_client.h"

#include <string.h>

#include "base/clock.h"
#include "mail/smtp_client_inside.h"

enum {
	GREETING_MS = 5 * 60 * 1000,
	BLOCK_MS = 3 * 60 * 1000,
	QUIT_MS = 1000,
	LAST_WORD_MS = 1000 /* what a server said before it hung up is here, or comes at once */
};

void smtp_client_open(struct smtp_client *c, int in, int out, bool lmtp, int64_t deadline_ms)
{
	*c = (struct smtp_client){ .lmtp = lmtp, .deadline_ms = deadline_ms, .lost = SMTP_CLOSED };
	c->in = (struct io_reader){ .fd = in, .buf = c->in_bytes, .cap = sizeof c->in_bytes };
	c->out = (struct io_writer){ .fd = out, .buf = c->out_bytes, .cap = sizeof c->out_bytes };
}

/* ---- replies ------------------------------------------------------------------------------------------- */

enum smtp_outcome smtp_lose(struct smtp_client *c, enum smtp_lost how)
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
	smtp_lose(c, c->in.state == IO_OK || c->in.state == IO_TIMEOUT ? SMTP_TIMED_OUT : SMTP_CLOSED);
	return false;
}

static enum smtp_outcome outcome_of(unsigned code)
{
	if (code >= 500)
		return SMTP_NEVER;
	return code >= 400 ? SMTP_LATER : SMTP_YES;
}

/* each hears of every line behind the first. */
enum smtp_outcome smtp_receive_lines(
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
			return smtp_lose(c, SMTP_NONSENSE);
		if (state != SMTP_REPLY_MORE && each != NULL && c->reply.lines > 1)
			each(c, c->reply.line);
		if (state == SMTP_REPLY_WHOLE)
			return outcome_of(c->reply.code);
	}
}

enum smtp_outcome smtp_receive(struct smtp_client *c, int stage_ms)
{
	return smtp_receive_lines(c, stage_ms, NULL);
}

/* 354, or what else is not "go on" and not "done". */
enum smtp_outcome smtp_expect(struct smtp_client *c, int stage_ms, unsigned class)
{
	const enum smtp_outcome outcome = smtp_receive(c, stage_ms);

	if (outcome == SMTP_YES && c->reply.code / 100 != class)
		return smtp_lose(c, SMTP_NONSENSE);
	return outcome;
}

/* A server may hang up with a reason: that is worth more than "hung up". */
enum smtp_outcome smtp_last_word(struct smtp_client *c)
{
	const enum smtp_lost how = c->out.state == IO_TIMEOUT ? SMTP_TIMED_OUT : SMTP_CLOSED;
	const enum smtp_outcome outcome = how == SMTP_CLOSED ? smtp_receive(c, LAST_WORD_MS) : SMTP_LOST;

	return outcome == SMTP_LATER || outcome == SMTP_NEVER ? outcome : smtp_lose(c, how);
}

/* ---- commands ------------------------------------------------------------------------------------------ */

void smtp_say(struct smtp_client *c, const char *text)
{
	c->out.timeout_ms = clock_left_ms(deadline_of(c, SMTP_COMMAND_MS));
	(void)io_put(&c->out, text, strlen(text)); /* its state stays */
}

bool smtp_flush(struct smtp_client *c, int stage_ms)
{
	c->out.timeout_ms = clock_left_ms(deadline_of(c, stage_ms));
	return io_flush(&c->out) == IO_OK;
}

enum smtp_outcome smtp_ask(struct smtp_client *c, const char *verb, const char *argument)
{
	smtp_say(c, verb);
	smtp_say(c, argument);
	smtp_say(c, "\r\n");
	if (!smtp_flush(c, SMTP_COMMAND_MS))
		return smtp_last_word(c);
	return smtp_receive(c, SMTP_COMMAND_MS);
}

enum smtp_outcome smtp_client_greeting(struct smtp_client *c)
{
	return smtp_expect(c, GREETING_MS, 2);
}

bool smtp_is_word(const char *p)
{
	size_t n = 0;

	while (p[n] > ' ' && p[n] < 0x7f)
		n++;
	return n > 0 && p[n] == '\0';
}

/* ---- the text ------------------------------------------------------------------------------------------ */

enum smtp_outcome smtp_client_data(struct smtp_client *c)
{
	enum smtp_outcome outcome;

	if (!c->data_is_sent) {
		smtp_say(c, "DATA\r\n");
		if (!smtp_flush(c, SMTP_COMMAND_MS))
			return smtp_last_word(c);
	}
	c->data_is_sent = false;
	dotline_out_init(&c->text);
	outcome = smtp_receive(c, SMTP_DATA_MS);
	if (outcome == SMTP_YES && c->reply.code != 354)
		return smtp_lose(c, SMTP_NONSENSE);
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
			return smtp_last_word(c);
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
	if (io_put(&c->out, wire, len) != IO_OK || !smtp_flush(c, BLOCK_MS))
		return smtp_last_word(c);
	for (size_t i = 0; i < (c->lmtp ? c->accepted : 1) && worst != SMTP_LOST; i++) {
		const enum smtp_outcome outcome = smtp_expect(c, SMTP_END_MS, 2);

		if (said != NULL && outcome != SMTP_LOST)
			said(arg, outcome);
		worst = worse(worst, outcome);
	}
	return worst;
}

void smtp_client_quit(struct smtp_client *c)
{
	smtp_say(c, "QUIT\r\n");
	(void)smtp_flush(c, QUIT_MS);
}
