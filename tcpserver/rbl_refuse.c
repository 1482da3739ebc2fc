#include "tcpserver/rbl_refuse.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/io.h"

static const char greeting[] = "220 rblsmtpd.local\r\n";
static const char good[] = "250 rblsmtpd.local\r\n";
static const char bye[] = "221 rblsmtpd.local\r\n";

static const struct {
	const char *verb;
	enum rbl_reply reply;
} commands[] = {
	{ "quit", RBL_BYE },
	{ "helo", RBL_GOOD },
	{ "ehlo", RBL_GOOD },
	{ "mail", RBL_GOOD },
	{ "rset", RBL_GOOD },
	{ "noop", RBL_GOOD },
};

static enum rbl_reply reply_of(const struct rbl_verb *v)
{
	size_t n = v->len;

	if (!v->ended && n > 0 && v->text[n - 1] == '\r')
		n--;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strlen(commands[i].verb) == n && strncasecmp(commands[i].verb, v->text, n) == 0)
			return commands[i].reply;
	return RBL_REFUSED;
}

enum rbl_reply rbl_feed(struct rbl_verb *v, char c)
{
	enum rbl_reply reply;

	if (c == '\n') {
		reply = reply_of(v);
		memset(v, 0, sizeof *v);
		return reply;
	}
	if (c == ' ')
		v->ended = true;
	if (!v->ended && v->len < RBL_VERB)
		v->text[v->len++] = c;
	return RBL_NO_LINE;
}

static void say(struct io_writer *w, const char *text, int64_t deadline_ms)
{
	w->timeout_ms = clock_left_ms(deadline_ms);
	io_put(w, text, strlen(text));
}

void rbl_refuse(int in, int out, const char *refusal, int timeout_ms)
{
	const int64_t deadline_ms = clock_ms() + timeout_ms;
	char input[1024], output[1024];
	struct io_reader r = { .fd = in, .buf = input, .cap = sizeof input };
	struct io_writer w = { .fd = out, .buf = output, .cap = sizeof output };
	struct rbl_verb verb = { 0 };
	enum rbl_reply reply = RBL_NO_LINE;

	say(&w, timeout_ms == 0 ? refusal : greeting, deadline_ms);
	while (timeout_ms != 0 && reply != RBL_BYE && w.state == IO_OK) {
		if (r.from == r.to) {
			w.timeout_ms = r.timeout_ms = clock_left_ms(deadline_ms);
			if (io_flush(&w) != IO_OK || io_fill(&r) != IO_OK)
				return;
		}
		reply = rbl_feed(&verb, r.buf[r.from++]);
		if (reply != RBL_NO_LINE)
			say(&w, reply == RBL_BYE ? bye : reply == RBL_GOOD ? good : refusal, deadline_ms);
	}
	w.timeout_ms = timeout_ms == 0 ? -1 : clock_left_ms(deadline_ms);
	io_flush(&w);
}
