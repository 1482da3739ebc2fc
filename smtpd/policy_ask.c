#include "smtpd/policy_ask.h"

#include <poll.h>
#include <string.h>
#include <strings.h>

#include "smtpd/event.h"
#include "smtpd/policy_envelope.h"
#include "smtpd/policy_text.h"
#include "smtpd/received.h"

/* ---- the process --------------------------------------------------------------------------------------- */

static const char *wrong_line(struct policy_ask *a, const char *line, const char *why)
{
	struct str s;

	str_init(&s, a->wrong, sizeof a->wrong);
	str_putc(&s, '"');
	str_put_printable(&s, line, strlen(line));
	str_puts(&s, "\": ");
	str_puts(&s, why);
	return a->wrong;
}

static const char *add_line(struct policy_ask *a, const char *line)
{
	struct policy_peer *p = &a->peers[a->count];
	const size_t n = strlen(line);
	const char *wrong;

	if (n >= sizeof p->text)
		return "a line is longer than 1023 bytes";
	if (a->count == POLICY_MAX)
		return wrong_line(a, line, "there are more than 16 policies");
	memcpy(p->text, line, n + 1);
	wrong = policy_line_parse(&p->line, p->text);
	if (wrong != NULL)
		return wrong_line(a, line, wrong);
	p->fd = p->pidfd = -1;
	p->pid = -1;
	a->count++;
	return NULL;
}

static void wipe(struct policy_ask *a)
{
	struct policy_session *now = &a->now;

	explicit_bzero(now->kept.header_bytes, now->kept.header_bytes_used);
	explicit_bzero(now, offsetof(struct policy_session, kept.header_bytes));
	policy_kept_init(&now->kept);
	explicit_bzero(a->buffers.in_bytes, a->buffers.used);
	explicit_bzero(a->buffers.out_bytes, a->buffers.used);
	a->buffers.used = 0;
}

/* For the log: who has failed, why, and what becomes of it. */
void policy_ask_failed(struct session *s, struct policy_peer *p, const char *why)
{
	char memory[256];
	struct str text;

	s->ask->failed = true;
	p->broken = NULL;
	str_init(&text, memory, sizeof memory);
	str_puts(&text, "policy ");
	str_puts(&text, why);
	str_puts(&text, p->line.accepts ? ": goes on without it" : ": asks to try again later");
	event_trouble(s, p->line.name, text.s);
}

const char *policy_ask_open(struct policy_ask *a, const struct control_list *lines, bool null_log)
{
	const char *wrong = NULL;

	for (size_t at = 0; wrong == NULL && at < lines->bytes; at += strlen(lines->items + at) + 1)
		wrong = add_line(a, lines->items + at);
	if (wrong != NULL || a->count == 0) /* then none of its pages is ever written */
		return wrong;
	wipe(a);
	for (size_t i = 0; i < a->count; i++)
		a->peers[i].broken = policy_peer_open(&a->peers[i], null_log);
	return NULL;
}

bool policy_ask_is_quiet(const struct policy_ask *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (!policy_peer_is_quiet(&a->peers[i]))
			return false;
	return true;
}

void policy_ask_finish(struct policy_ask *a)
{
	for (size_t i = 0; i < a->count; i++)
		policy_peer_fail(&a->peers[i]);
	for (size_t i = 0; i < a->count; i++)
		policy_peer_wait(&a->peers[i]);
}

/* ---- what is said -------------------------------------------------------------------------------------- */

static enum reply say(struct session *s, const struct policy_peer *p, enum policy_stage stage,
	const struct policy_answer *a)
{
	if (policy_said_set(&s->ask->now.said, p->line.name, stage, a))
		s->over = true;
	return REPLY_POLICY;
}

static enum reply say_later(struct session *s, const struct policy_peer *p, enum policy_stage stage)
{
	struct policy_answer a;

	policy_answer_init(&a);
	a.action = POLICY_DEFER;
	return say(s, p, stage, &a);
}

/* Ends early when nobody is there to hear us; but to have said everything (POLLRDHUP) is not to be gone. */
static void delay(struct session *s)
{
	struct policy_session *now = &s->ask->now;
	struct pollfd p = { .fd = s->out.fd };
	const uint64_t ms = now->delay < POLICY_DELAY_MS ? now->delay : POLICY_DELAY_MS;

	now->delay = 0;
	if (ms > 0 && io_flush(&s->out) == IO_OK)
		(void)poll(&p, 1, (int)ms);
}

/* ---- asking -------------------------------------------------------------------------------------------- */

static const char *known(const char *text)
{
	return text != NULL ? text : "";
}

static void fill_session(const struct session *s, struct policy_request *q)
{
	struct policy_session *now = &s->ask->now;
	struct str protocol;

	str_init(&protocol, now->protocol, sizeof now->protocol);
	received_protocol(s, &protocol);
	q->session = s->id;
	q->client_address = known(s->ucspi[UCSPI_REMOTEIP]);
	q->client_name = known(s->ucspi[UCSPI_REMOTEHOST]);
	q->client_port = known(s->ucspi[UCSPI_REMOTEPORT]);
	q->server_address = known(s->ucspi[UCSPI_LOCALIP]);
	q->server_port = known(s->ucspi[UCSPI_LOCALPORT]);
	q->helo = s->helo;
	q->protocol = now->protocol;
	q->user = known(s->user);
	q->relay = s->relay != NULL;
	if (!s->tls.on)
		return;
	q->tls_version = known(s->tls.version);
	q->tls_cipher = known(s->tls.cipher);
	q->tls_fingerprint = known(s->tls.fingerprint);
}

static void fill(const struct session *s, enum policy_stage stage, struct policy_request *q)
{
	const struct policy_session *now = &s->ask->now;

	policy_request_init(q);
	q->stage = stage;
	fill_session(s, q);
	if (stage < POLICY_MAIL || stage > POLICY_END)
		return;
	q->sender = s->sender.text;
	q->sender_parameters = now->sender_parameters;
	q->size = now->size;
	if (stage > POLICY_MAIL)
		q->recipients = s->envelope.recipients;
	if (stage != POLICY_RCPT)
		return;
	q->recipient = s->recipient.text;
	q->recipient_parameters = now->recipient_parameters;
}

static enum policy_scope scope_of(enum policy_stage stage)
{
	return stage == POLICY_CONNECT ? POLICY_OF_SESSION
	       : stage == POLICY_HELO  ? POLICY_OF_HELO
				       : POLICY_OF_TRANSACTION;
}

static bool goes_on(const struct policy_answer *a)
{
	return a->action == POLICY_CONTINUE || a->action == POLICY_ACCEPT;
}

/* -1: it has failed, now or before. */
static int ask(
	struct session *s, struct policy_peer *p, const struct policy_request *q, struct policy_answer *a)
{
	struct policy_ask *all = s->ask;
	const char *wrong;

	policy_answer_init(a);
	if (p->fd == -1)
		return -1;
	p->in_session = true;
	p->in_transaction = q->stage >= POLICY_MAIL && q->stage < POLICY_END;
	wrong = policy_peer_ask(p, &all->buffers, q, a);
	if (wrong == NULL && a->message != POLICY_NO_MESSAGE &&
		(q->stage != POLICY_END || all->now.holder != p || !goes_on(a)))
		wrong = "sends a message that is not wanted";
	if (wrong == NULL && q->stage == POLICY_END && a->queue[0] != '\0' && goes_on(a))
		wrong = "names a queue when the text is on its way already";
	if (wrong == NULL && (goes_on(a) || a->action == POLICY_DISCARD))
		wrong = policy_kept_add(&all->now.kept, scope_of(q->stage), a);
	if (wrong == NULL) {
		all->now.delay += a->delay < POLICY_DELAY_MS ? a->delay : POLICY_DELAY_MS;
		return 0;
	}
	policy_peer_fail(p);
	policy_ask_failed(s, p, wrong);
	return -1;
}

/* REPLY_NONE: go on with the next one. */
static enum reply obey(struct session *s, const struct policy_peer *p, enum policy_stage stage,
	const struct policy_answer *a)
{
	switch (a->action) {
	case POLICY_REJECT:
	case POLICY_DEFER:
	case POLICY_DROP:
		return say(s, p, stage, a);
	default:
		return REPLY_NONE;
	}
}

static enum reply ask_all(struct session *s, enum policy_stage stage)
{
	struct policy_ask *all = s->ask;
	enum reply r = REPLY_NONE;
	struct policy_request q;
	struct policy_answer a;

	fill(s, stage, &q);
	for (size_t i = 0; i < all->count && r == REPLY_NONE; i++) {
		struct policy_peer *p = &all->peers[i];

		if (!policy_line_wants(&p->line, stage))
			continue;
		if (ask(s, p, &q, &a) == -1) {
			r = p->line.accepts ? REPLY_NONE : say_later(s, p, stage);
			continue; /* what it said does not count */
		}
		r = obey(s, p, stage, &a);
		if (a.action == POLICY_ACCEPT)
			break;
	}
	delay(s);
	return r;
}

static bool is_idle(const struct session *s)
{
	return s->ask == NULL || s->ask->count == 0;
}

/* ---- the stages ---------------------------------------------------------------------------------------- */

enum reply policy_ask_connect(struct session *s)
{
	enum reply r;

	if (is_idle(s))
		return REPLY_GREETING;
	policy_ask_close(s);
	s->ask->now.open = true;
	for (struct policy_peer *p = s->ask->peers; p < s->ask->peers + s->ask->count; p++)
		if (p->broken != NULL)
			policy_ask_failed(s, p, p->broken);
	r = ask_all(s, POLICY_CONNECT);
	if (r == REPLY_NONE)
		return REPLY_GREETING;
	s->ask->now.barred = BARRED_ALL;
	return r;
}

enum reply policy_ask_helo(struct session *s)
{
	struct policy_session *now;
	enum reply r;

	if (is_idle(s))
		return REPLY_NONE;
	now = &s->ask->now;
	policy_kept_begin(&now->kept, POLICY_OF_HELO);
	r = ask_all(s, POLICY_HELO);
	now->barred = r == REPLY_NONE ? BARRED_NOT : BARRED_MAIL;
	return r;
}

void policy_ask_forget_helo(struct session *s)
{
	if (is_idle(s))
		return;
	policy_kept_begin(&s->ask->now.kept, POLICY_OF_HELO);
	if (s->ask->now.barred == BARRED_MAIL)
		s->ask->now.barred = BARRED_NOT;
}

static void copy(char *to, struct argument a)
{
	while (a.n > 0 && a.p[0] == ' ') {
		a.p++;
		a.n--;
	}
	memcpy(to, a.p, a.n);
	to[a.n] = '\0';
}

enum reply policy_ask_mail(struct session *s, struct argument parameters, uint64_t size)
{
	struct policy_session *now;

	if (is_idle(s))
		return REPLY_NONE;
	now = &s->ask->now;
	policy_kept_begin(&now->kept, POLICY_OF_TRANSACTION);
	copy(now->sender_parameters, parameters);
	now->size = size;
	return ask_all(s, POLICY_MAIL);
}

enum reply policy_ask_rcpt(struct session *s, struct argument parameters)
{
	if (is_idle(s))
		return REPLY_NONE;
	copy(s->ask->now.recipient_parameters, parameters);
	return ask_all(s, POLICY_RCPT);
}

bool policy_ask_bars(const struct session *s, const char *verb)
{
	if (is_idle(s) || s->ask->now.barred == BARRED_NOT)
		return false;
	if (s->ask->now.barred == BARRED_MAIL)
		return strcasecmp(verb, "MAIL") == 0;
	return strcasecmp(verb, "QUIT") != 0 &&
	       strcasecmp(verb, "BDAT") != 0; /* whose bytes must be read */
}

/* ---- the text ------------------------------------------------------------------------------------------ */

enum reply policy_ask_data(struct session *s)
{
	struct policy_peer *missing;
	enum reply r;

	if (is_idle(s))
		return REPLY_NONE;
	r = ask_all(s, POLICY_DATA);
	if (r != REPLY_NONE)
		return r;
	missing = policy_text_begin(s);
	return missing != NULL ? say_later(s, missing, POLICY_DATA) : REPLY_NONE;
}

int policy_ask_text(struct session *s, const char *p, size_t n)
{
	return is_idle(s) ? door_write(s->door, p, n) : policy_text_put(s, p, n);
}

/* ---- the end ------------------------------------------------------------------------------------------- */

/* The text is with it: without its answer there is none, whatever its line says. */
static enum reply end_of_holder(
	struct session *s, struct policy_peer *p, const struct policy_answer *a, bool is_last)
{
	const char *wrong;

	if (a->action == POLICY_DISCARD)
		return REPLY_NONE;
	wrong = policy_text_back(s, p, a->message == POLICY_NO_MESSAGE ? 0 : a->message, is_last);
	if (wrong == NULL)
		return REPLY_NONE;
	policy_peer_fail(p);
	policy_ask_failed(s, p, wrong);
	return say_later(s, p, POLICY_END);
}

/* Without a recipient there is nothing to be queued. */
static bool change_envelope(struct session *s, struct policy_peer *p, const struct policy_answer *a)
{
	const char *wrong = policy_envelope_change(s, a);

	if (wrong != NULL) {
		policy_peer_fail(p);
		policy_ask_failed(s, p, wrong);
	}
	if (s->envelope.recipients == 0)
		s->ask->now.kept.discard[POLICY_OF_TRANSACTION] = true;
	return wrong == NULL;
}

static enum reply end_of_one(
	struct session *s, struct policy_peer *p, const struct policy_request *q, bool *accepted)
{
	const bool holds = s->ask->now.holder == p;
	struct policy_answer a;
	enum reply r;

	if (ask(s, p, q, &a) == -1)
		return p->line.accepts && !holds ? REPLY_NONE : say_later(s, p, POLICY_END);
	r = obey(s, p, POLICY_END, &a);
	*accepted = *accepted || a.action == POLICY_ACCEPT;
	if (goes_on(&a) && !change_envelope(s, p, &a))
		return say_later(s, p, POLICY_END);
	return r == REPLY_NONE && holds ? end_of_holder(s, p, &a, *accepted) : r;
}

/* An answer "accept" spares the policies behind it, but whoever holds the text is asked for it. */
enum reply policy_ask_end(struct session *s, uint64_t bytes)
{
	enum reply r = REPLY_NONE;
	struct policy_request q;
	bool accepted = false;

	if (is_idle(s))
		return REPLY_NONE;
	fill(s, POLICY_END, &q);
	q.bytes = bytes;
	for (struct policy_peer *p = s->ask->peers; p < s->ask->peers + s->ask->count && r == REPLY_NONE;
		p++) {
		if (policy_ask_discards(s))
			break;
		if (policy_line_wants(&p->line, POLICY_END) && (!accepted || s->ask->now.holder == p))
			r = end_of_one(s, p, &q, &accepted);
	}
	delay(s);
	return r;
}

/* ---- over ---------------------------------------------------------------------------------------------- */

static void tell(struct session *s, struct policy_peer *p, enum policy_stage stage)
{
	struct policy_request q;
	const char *wrong;

	if (p->fd == -1)
		return;
	fill(s, stage, &q);
	wrong = policy_peer_tell(p, &s->ask->buffers, &q, "", 0);
	if (wrong != NULL)
		policy_ask_failed(s, p, wrong);
}

void policy_ask_reset(struct session *s)
{
	if (is_idle(s))
		return;
	for (struct policy_peer *p = s->ask->peers; p < s->ask->peers + s->ask->count; p++) {
		if (p->in_transaction)
			tell(s, p, POLICY_RESET);
		p->in_transaction = false;
	}
	s->ask->now.holder = NULL;
	policy_kept_begin(&s->ask->now.kept, POLICY_OF_TRANSACTION);
}

void policy_ask_close(struct session *s)
{
	if (is_idle(s) || !s->ask->now.open)
		return;
	policy_ask_reset(s);
	for (struct policy_peer *p = s->ask->peers; p < s->ask->peers + s->ask->count; p++) {
		if (p->in_session)
			tell(s, p, POLICY_CLOSE);
		p->in_session = false;
	}
	wipe(s->ask);
}

/* ---- for others ---------------------------------------------------------------------------------------- */

bool policy_ask_discards(const struct session *s)
{
	return !is_idle(s) && policy_kept_discards(&s->ask->now.kept);
}

const char *policy_ask_queue(const struct session *s)
{
	return is_idle(s) ? "" : policy_kept_queue(&s->ask->now.kept);
}

const char *policy_ask_tags(const struct session *s)
{
	return is_idle(s) ? "" : s->ask->now.kept.tags.text.s;
}

const struct policy_said *policy_ask_said(const struct session *s)
{
	return &s->ask->now.said;
}
