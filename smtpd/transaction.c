/* transaction.c - MAIL, RCPT, DATA, RSET: one message from its sender to the queue. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/str.h"
#include "mail/header.h"
#include "smtpd/command.h"
#include "smtpd/event.h"
#include "smtpd/params.h"
#include "smtpd/policy.h"

enum { HOPS_MAX = 100 /* RFC 5321 section 6.3 asks for 100 at least */ };

static void reset(struct session *s)
{
	s->state = STATE_IDLE;
	s->sender.text[0] = '\0';
	s->recipient.text[0] = '\0';
}

enum reply transaction_rset(struct session *s, struct argument a)
{
	(void)a;
	reset(s);
	return REPLY_FLUSHED;
}

static void explain(struct session *s, const char *why)
{
	struct str detail;

	str_init(&detail, s->detail, sizeof s->detail);
	str_puts(&detail, why);
}

/* "FROM:<path>" or "TO:<path>"; *a is left at what follows the path. Blanks behind the colon are RFC 821's
 * and many a program's. */
static const char *parse_path(struct address *to, const char *word, struct argument *a)
{
	size_t n = strlen(word), used;
	const char *wrong;

	if (a->n < n || strncasecmp(a->p, word, n) != 0)
		return "the word before the path is missing";
	a->p += n;
	a->n -= n;
	while (a->n > 0 && a->p[0] == ' ') {
		a->p++;
		a->n--;
	}
	wrong = address_parse_path(to, a->p, a->n, &used);
	if (wrong != NULL)
		return wrong;
	a->p += used;
	a->n -= used;
	return a->n > 0 && a->p[0] != ' ' ? "text behind the path" : NULL;
}

enum reply transaction_mail(struct session *s, struct argument a)
{
	struct params p;
	const char *wrong = parse_path(&s->sender, "FROM:", &a);
	enum reply r;

	if (wrong != NULL) {
		explain(s, wrong);
		return REPLY_BAD_SENDER;
	}
	r = params_mail(&p, a);
	if (r != REPLY_NONE)
		return r;
	if (s->set->size_max != 0 && p.size > s->set->size_max)
		return REPLY_SIZE;
	policy_localip(s->set, &s->sender);
	if (!envelope_start(&s->envelope, s->sender.text))
		return REPLY_BAD_SENDER;
	s->state = STATE_MAIL;
	return REPLY_SENDER_OK;
}

enum reply transaction_rcpt(struct session *s, struct argument a)
{
	const char *wrong = parse_path(&s->recipient, "TO:", &a);
	enum reply r;

	if (wrong == NULL && s->recipient.len == 0)
		wrong = "nobody is named";
	if (wrong != NULL) {
		explain(s, wrong);
		return REPLY_BAD_RECIPIENT;
	}
	r = params_rcpt(a);
	if (r != REPLY_NONE)
		return r;
	policy_localip(s->set, &s->recipient);
	r = policy_recipient(s);
	if (r != REPLY_RECIPIENT_OK)
		return r;
	if (s->envelope.recipients == SESSION_RECIPIENTS || !envelope_add(&s->envelope, s->recipient.text))
		return REPLY_TOO_MANY_RECIPIENTS;
	s->state = STATE_RCPT;
	return r;
}

/* ---- DATA ---------------------------------------------------------------------------------------------- */

/* What a client says of itself may not look like more of our field: other bytes become '?'. */
static void put_safe(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
			     (*text >= '0' && *text <= '9') || strchr(".@%+/=:-_[]", *text) != NULL;

		str_putc(out, plain ? *text : '?');
	}
}

static const char *known(const char *value)
{
	return value != NULL ? value : "unknown";
}

/* The form of qmail-smtpd, which log and spam tools read, with today's protocol words (RFC 3848). */
static void put_received(const struct session *s, struct str *out)
{
	const char *const *v = s->set->ucspi;
	const char *host = known(v[UCSPI_REMOTEHOST]);
	const char *local = v[UCSPI_LOCALHOST] != NULL ? v[UCSPI_LOCALHOST] : known(v[UCSPI_LOCALIP]);

	str_puts(out, "Received: from ");
	put_safe(out, host);
	if (s->helo[0] != '\0' && strcasecmp(host, s->helo) != 0) {
		str_puts(out, " (HELO ");
		put_safe(out, s->helo);
		str_putc(out, ')');
	}
	str_puts(out, " (");
	if (v[UCSPI_REMOTEINFO] != NULL) {
		put_safe(out, v[UCSPI_REMOTEINFO]);
		str_putc(out, '@');
	}
	put_safe(out, known(v[UCSPI_REMOTEIP]));
	str_puts(out, ")\n  by ");
	put_safe(out, local);
	str_puts(out, s->esmtp ? " with ESMTP; " : " with SMTP; ");
	header_date(out, time(NULL));
	str_putc(out, '\n');
}

struct body {
	struct dotline lines;
	struct header_hops hops;
	uint64_t bytes;     /* as the queue gets them, without our own field */
	enum reply refused; /* REPLY_NONE so far */
	bool unwanted;      /* the queue program does not read on */
};

static enum reply judge(const struct session *s, const struct body *b)
{
	if (b->hops.hops >= HOPS_MAX)
		return REPLY_HOPS;
	if (s->set->size_max != 0 && b->bytes > s->set->size_max)
		return REPLY_SIZE;
	if (b->lines.fault == DOTLINE_CLEAN)
		return REPLY_NONE;
	switch (s->set->newline) {
	case NEWLINE_DROP:
		return REPLY_STRAY_NEWLINE;
	case NEWLINE_KEEP:
	case NEWLINE_FIX:
		return REPLY_NONE;
	case NEWLINE_REJECT:
		break;
	}
	return REPLY_BARE_NEWLINE;
}

/* From the window to the queue, up to the end of the text or of the window. */
static void pass_on(struct session *s, struct body *b)
{
	char *const text = s->text_bytes;
	size_t n;

	s->in.from += dotline_decode(&b->lines, s->in.buf + s->in.from, s->in.to - s->in.from, text, &n);
	b->bytes += n;
	header_hops_feed(&b->hops, text, n);
	if (b->refused == REPLY_NONE)
		b->refused = judge(s, b);
	if (b->refused == REPLY_NONE && !b->unwanted)
		b->unwanted = door_write(&s->door, text, n) == -1;
}

/* The whole text is read, whatever becomes of it: a reply before its end would be taken for another
 * command's, unless the session ends with it. False: the client is gone. */
static bool receive(struct session *s, struct body *b)
{
	char memory[1024];
	struct str received;

	str_init(&received, memory, sizeof memory);
	put_received(s, &received);
	b->unwanted = received.full || door_write(&s->door, received.s, received.len) == -1;
	while (!b->lines.ended && b->refused != REPLY_STRAY_NEWLINE) {
		if (s->in.from == s->in.to && io_fill(&s->in) != IO_OK)
			return false;
		pass_on(s, b);
	}
	return true;
}

static void explain_newline(struct session *s, const struct dotline *d)
{
	struct str detail;

	str_init(&detail, s->detail, sizeof s->detail);
	str_puts(&detail, d->fault == DOTLINE_BARE_LF ? "bare LF" : "bare CR");
	str_puts(&detail, " at byte ");
	str_putu(&detail, (unsigned long)d->fault_at);
	str_puts(&detail, " of the text");
}

enum reply transaction_data(struct session *s, struct argument a)
{
	struct body b = { .refused = REPLY_NONE };
	struct door_answer answer;

	(void)a;
	dotline_init(&b.lines, s->set->newline == NEWLINE_FIX);
	header_hops_init(&b.hops);
	if (door_begin(&s->door, &answer) == -1) {
		event_message(s, &answer, 0);
		reply_put_answer(s, &answer);
		reset(s);
		return REPLY_NONE;
	}
	reply_put(s, REPLY_GO_AHEAD);
	if (io_flush(&s->out) != IO_OK || !receive(s, &b)) {
		door_abort(&s->door);
		return command_lost(s);
	}
	if (b.refused == REPLY_NONE && !envelope_finish(&s->envelope))
		b.refused = REPLY_TOO_MANY_RECIPIENTS;
	if (b.refused != REPLY_NONE) {
		door_abort(&s->door);
		if (b.refused == REPLY_BARE_NEWLINE)
			explain_newline(s, &b.lines);
		s->over = b.refused == REPLY_STRAY_NEWLINE;
		event_refused(s, b.refused);
		reply_put(s, b.refused);
		s->errors++;
		reset(s);
		return REPLY_NONE;
	}
	door_end(&s->door, &s->envelope, &answer);
	event_message(s, &answer, b.bytes);
	reply_put_answer(s, &answer);
	reset(s);
	return REPLY_NONE;
}
