/* transaction.c - MAIL, RCPT, RSET: who sends one message, and for whom. */
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "smtpd/command.h"
#include "smtpd/params.h"
#include "smtpd/policy.h"
#include "smtpd/policy_ask.h"

void transaction_reset(struct session *s)
{
	text_abort(s);
	policy_ask_reset(s);
	s->state = STATE_IDLE;
	s->sender.text[0] = '\0';
	s->recipient.text[0] = '\0';
	s->utf8 = false;
	s->text.binary = false;
	s->text.done = false;
}

enum reply transaction_rset(struct session *s, struct argument a)
{
	(void)a;
	transaction_reset(s);
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

/* What the queue is told of the sender: only what the client said, and only to a queue that knows it. */
static bool note_sender(struct envelope *e, const struct params *p)
{
	return (p->body != PARAMS_BINARYMIME || envelope_note(e, ENVELOPE_BODY, "BINARYMIME", 10)) &&
	       (p->ret.n == 0 || envelope_note(e, ENVELOPE_RET, p->ret.p, p->ret.n)) &&
	       (p->envid.n == 0 || envelope_note(e, ENVELOPE_ENVID, p->envid.p, p->envid.n)) &&
	       (!p->requiretls || envelope_note(e, ENVELOPE_REQUIRETLS, "", 0));
}

static bool note_recipient(struct envelope *e, const struct params *p)
{
	return (p->notify.n == 0 || envelope_note(e, ENVELOPE_NOTIFY, p->notify.p, p->notify.n)) &&
	       (p->orcpt.n == 0 || envelope_note(e, ENVELOPE_ORCPT, p->orcpt.p, p->orcpt.n));
}

enum reply transaction_mail(struct session *s, struct argument a)
{
	struct params p;
	const char *wrong = parse_path(&s->sender, "FROM:", &a);
	enum reply r;

	r = auth_mail(s);
	if (r != REPLY_NONE)
		return r;
	if (wrong != NULL) {
		explain(s, wrong);
		return REPLY_BAD_SENDER;
	}
	r = params_mail(&p, s, a);
	if (r != REPLY_NONE)
		return r;
	if (s->sender.utf8 && !p.smtputf8)
		return REPLY_NEEDS_UTF8;
	if (s->set->size_max != 0 && p.size > s->set->size_max)
		return REPLY_SIZE;
	policy_localip(s->set, &s->sender);
	if (!envelope_start(&s->envelope, s->sender.text) || !note_sender(&s->envelope, &p))
		return REPLY_BAD_SENDER;
	r = policy_ask_mail(s, a, p.size);
	if (r != REPLY_NONE)
		return r;
	s->utf8 = p.smtputf8;
	s->text.binary = p.body == PARAMS_BINARYMIME;
	s->state = STATE_MAIL;
	return REPLY_SENDER_OK;
}

static bool add(struct session *s, const struct params *p)
{
	const struct envelope before = s->envelope;

	if (s->envelope.recipients < SESSION_RECIPIENTS && envelope_add(&s->envelope, s->recipient.text) &&
		note_recipient(&s->envelope, p))
		return true;
	s->envelope = before;
	return false;
}

static enum reply recipient(struct session *s, struct argument a)
{
	struct params p;
	const char *wrong = parse_path(&s->recipient, "TO:", &a);
	enum reply r;

	if (wrong == NULL && s->recipient.len == 0)
		wrong = "nobody is named";
	if (wrong != NULL) {
		explain(s, wrong);
		return REPLY_BAD_RECIPIENT;
	}
	r = params_rcpt(&p, s, a);
	if (r != REPLY_NONE)
		return r;
	if (s->recipient.utf8 && !s->utf8)
		return REPLY_NEEDS_UTF8;
	policy_localip(s->set, &s->recipient);
	r = policy_recipient(s);
	if (r != REPLY_RECIPIENT_OK)
		return r;
	r = policy_ask_rcpt(s, a);
	if (r != REPLY_NONE)
		return r;
	return add(s, &p) ? REPLY_RECIPIENT_OK : REPLY_TOO_MANY_RECIPIENTS;
}

/* Whoever names one recipient after another in vain is guessing. */
enum reply transaction_rcpt(struct session *s, struct argument a)
{
	const enum reply r = recipient(s, a);

	if (r == REPLY_RECIPIENT_OK) {
		s->state = STATE_RCPT;
		s->refused = 0;
	} else if (reply_code_now(s, r) >= 500) {
		s->refused++;
	}
	return r;
}
