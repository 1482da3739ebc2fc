#include "smtpd/command.h"

#include <poll.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "smtpd/event.h"
#include "smtpd/policy_ask.h"
#include "smtpd/starttls.h"

enum { PROGRESS_MS = 30 * 60 * 1000 };

static enum reply noop(struct session *s, struct argument a)
{
	(void)s;
	(void)a;
	return REPLY_OK;
}

static enum reply vrfy(struct session *s, struct argument a)
{
	(void)s;
	(void)a;
	return REPLY_VRFY;
}

static enum reply help(struct session *s, struct argument a)
{
	(void)s;
	(void)a;
	return REPLY_HELP;
}

static enum reply quit(struct session *s, struct argument a)
{
	(void)a;
	s->over = true;
	s->exit_code = SESSION_EXIT_BYE;
	return REPLY_BYE;
}

enum takes { TAKES_NOTHING, TAKES_ARGUMENT, TAKES_EITHER };

static const struct command {
	const char *verb;
	unsigned allowed;   /* states in which it may come: RFC 5321 section 4.1.4 */
	enum reply refused; /* … and what is said in the others */
	enum takes takes;
	enum reply (*run)(struct session *s, struct argument a);
} commands[] = {
	{ "HELO", STATE_ANY, REPLY_NONE, TAKES_ARGUMENT, greet_helo },
	{ "EHLO", STATE_ANY, REPLY_NONE, TAKES_ARGUMENT, greet_ehlo },
	{ "AUTH", STATE_ANY, REPLY_NONE, TAKES_ARGUMENT, auth_command },
	{ "MAIL", STATE_IDLE, REPLY_MAIL_TWICE, TAKES_ARGUMENT, transaction_mail },
	{ "RCPT", STATE_MAIL | STATE_RCPT, REPLY_MAIL_FIRST, TAKES_ARGUMENT, transaction_rcpt },
	{ "DATA", STATE_RCPT, REPLY_MAIL_FIRST, TAKES_NOTHING, text_data },
	{ "BDAT", STATE_ANY, REPLY_NONE, TAKES_ARGUMENT, text_bdat }, /* its bytes come in any state */
	{ "RSET", STATE_ANY, REPLY_NONE, TAKES_NOTHING, transaction_rset },
	{ "STARTTLS", STATE_ANY, REPLY_NONE, TAKES_NOTHING, starttls },
	{ "XCLIENT", STATE_IDLE, REPLY_MAIL_TWICE, TAKES_ARGUMENT, xclient },
	{ "NOOP", STATE_ANY, REPLY_NONE, TAKES_EITHER, noop },
	{ "VRFY", STATE_ANY, REPLY_NONE, TAKES_ARGUMENT, vrfy },
	{ "HELP", STATE_ANY, REPLY_NONE, TAKES_EITHER, help },
	{ "QUIT", STATE_ANY, REPLY_NONE, TAKES_NOTHING, quit },
};

static const struct command *find(const char *line, size_t n)
{
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strlen(commands[i].verb) == n && strncasecmp(line, commands[i].verb, n) == 0)
			return &commands[i];
	return NULL;
}

static enum reply out_of_order(const struct session *s, const struct command *c)
{
	if (c->refused == REPLY_MAIL_FIRST && s->state == STATE_MAIL)
		return REPLY_RCPT_FIRST;
	return s->state == STATE_CHUNKS ? REPLY_TEXT_BEGUN : c->refused;
}

static bool has_control_byte(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] >= 0 && p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f)
			return true;
	return false;
}

/* A command without its line end. */
static enum reply run_line(struct session *s, const char *line, size_t n)
{
	const char *blank = memchr(line, ' ', n);
	size_t verb = blank != NULL ? (size_t)(blank - line) : n;
	const struct command *c = find(line, verb);
	struct argument a = { line + verb, n - verb };

	while (a.n > 0 && a.p[0] == ' ') {
		a.p++;
		a.n--;
	}
	while (a.n > 0 && (a.p[a.n - 1] == ' ' || a.p[a.n - 1] == '\t')) /* old clients leave some */
		a.n--;
	if (has_control_byte(line, n))
		return REPLY_CONTROL_BYTE;
	if (c == NULL)
		return REPLY_UNKNOWN;
	s->spoke = true;
	s->verb = c->verb;
	if (c->takes == TAKES_NOTHING && a.n > 0)
		return REPLY_TAKES_NO_ARGUMENT;
	if (c->takes == TAKES_ARGUMENT && a.n == 0)
		return REPLY_NEEDS_ARGUMENT;
	if (policy_ask_bars(s, c->verb))
		return REPLY_BARRED;
	return (c->allowed & (unsigned)s->state) ? c->run(s, a) : out_of_order(s, c);
}

void command_progress(struct session *s)
{
	s->progress_ms = clock_ms();
}

enum reply command_lost(struct session *s)
{
	s->over = true;
	s->exit_code = SESSION_EXIT_LEFT;
	return s->in.state == IO_TIMEOUT ? REPLY_TIMEOUT : REPLY_NONE;
}

int command_wait_ms(int usual_ms, int64_t since_ms)
{
	if (since_ms >= PROGRESS_MS)
		return 0;
	return PROGRESS_MS - since_ms < usual_ms ? (int)(PROGRESS_MS - since_ms) : usual_ms;
}

static int wait_ms(const struct session *s)
{
	return command_wait_ms(s->in.timeout_ms, clock_ms() - s->progress_ms);
}

/* Whose time is over is not read from: it may have put much there. */
static enum io wait_for_command(struct session *s)
{
	const int usual = s->in.timeout_ms, wait = wait_ms(s);
	enum io got;

	if (wait == 0) {
		s->in.state = IO_TIMEOUT;
		return s->in.state;
	}
	s->in.timeout_ms = wait;
	got = io_fill(&s->in);
	s->in.timeout_ms = usual;
	return got;
}

static enum reply command_lost_or_idle(struct session *s)
{
	const bool idle = s->in.state == IO_TIMEOUT && wait_ms(s) == 0;
	const enum reply lost = command_lost(s);

	return idle ? REPLY_NO_PROGRESS : lost;
}

static bool begins(const char *p, size_t n, const char *with)
{
	size_t len = strlen(with);

	return n >= len && memcmp(p, with, len) == 0;
}

/* Browsers made to talk to us, TLS and SSH clients on the wrong port: no word of theirs may be obeyed,
 * though they would reach a MAIL sooner or later. Only what comes before any command is judged. */
static bool is_foreign(const struct session *s)
{
	static const char *const openings[] = { "GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "CONNECT ",
		"DELETE ", "PATCH ", "SSH-", "\x16\x03" /* a TLS handshake record */ };
	const char *p = s->in.buf + s->in.from;
	size_t n = s->in.to - s->in.from;

	if (s->spoke)
		return false;
	for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++)
		if (begins(p, n, openings[i]))
			return true;
	return false;
}

enum reply command_read_line(struct session *s, size_t max, const char **line, size_t *n)
{
	struct io_reader *in = &s->in;
	size_t searched = 0, dropped = 0;

	for (;;) {
		const char *start = in->buf + in->from;
		size_t have = in->to - in->from;
		const char *lf = memchr(start + searched, '\n', have - searched);

		if (is_foreign(s)) {
			s->over = true;
			return REPLY_NOT_SMTP;
		}
		if (lf != NULL) {
			*line = start;
			*n = (size_t)(lf - start);
			in->from += *n + 1;
			if (dropped + *n + 1 > max)
				return REPLY_TOO_LONG;
			if (*n > 0 && start[*n - 1] == '\r')
				(*n)--;
			else if (s->set->newline != NEWLINE_FIX)
				return REPLY_BARE_LF_LINE;
			return REPLY_NONE;
		}
		if (have > max) { /* nothing of it is needed: only its end */
			dropped += have;
			in->from = in->to;
			have = 0;
		}
		if (dropped > COMMAND_DROP) {
			s->over = true;
			return REPLY_NEVER_ENDS;
		}
		searched = have;
		if (io_flush(&s->out) != IO_OK || wait_for_command(s) != IO_OK)
			return command_lost_or_idle(s);
	}
}

static void answer(struct session *s, enum reply r)
{
	const bool errors = s->errors + 1 >= SESSION_ERRORS;

	if (reply_code(r) >= 400) {
		s->errors++;
		event_refused(s, r);
		if ((errors || s->refused >= SESSION_REFUSED) && !s->over) {
			s->over = true;
			s->detail[0] = '\0';
			r = errors ? REPLY_TOO_MANY_ERRORS : REPLY_TOO_MANY_REFUSED;
		}
	}
	if (reply_blames(r))
		s->exit_code = SESSION_EXIT_BLAMED;
	reply_put(s, r);
	if (s->text.done)
		transaction_reset(s);
}

/* RFC 5321 section 3.1: the client waits for our greeting. Whoever does not is no mail program, but those who
 * may relay are not suspected: an administrator's printf among them. */
static bool talks_first(const struct session *s)
{
	struct pollfd p = { .fd = s->in.fd, .events = POLLIN };

	return s->set->on_socket && s->relay == NULL && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) == 0;
}

static enum reply greeting(struct session *s)
{
	if (s->tls.on && !starttls_agree(&s->tls)) {
		s->over = true; /* the client spoke no TLS: its helper has told it */
		s->exit_code = SESSION_EXIT_LEFT;
		return REPLY_NONE;
	}
	if (talks_first(s)) {
		s->over = true;
		return REPLY_TALKED_FIRST;
	}
	return policy_ask_connect(s);
}

void command_loop(struct session *s)
{
	command_progress(s);
	answer(s, greeting(s));
	while (!s->over) {
		const char *line;
		size_t n;
		enum reply r;

		s->verb = NULL;
		r = command_read_line(s, COMMAND_LINE, &line, &n);
		if (r == REPLY_NONE && !s->over)
			r = run_line(s, line, n);
		answer(s, r);
	}
	transaction_reset(s);
	(void)io_flush(&s->out);
}
