#include "smtpd/policy_ask.h"

#include <poll.h>
#include <string.h>
#include <strings.h>

#include "smtpd/event.h"
#include "smtpd/policy_envelope.h"
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

	explicit_bzero(now->header_bytes, now->header_bytes_used);
	explicit_bzero(now, offsetof(struct policy_session, header_bytes));
	str_init(&now->headers.text, now->header_bytes, sizeof now->header_bytes);
	str_init(&now->tags.text, now->tag_bytes, sizeof now->tag_bytes);
	explicit_bzero(a->buffers.in_bytes, a->buffers.used);
	explicit_bzero(a->buffers.out_bytes, a->buffers.used);
	a->buffers.used = 0;
}

/* For the log: who has failed, why, and what becomes of it. */
static void tell_failed(struct session *s, struct policy_peer *p, const char *why)
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
	if (wrong != NULL)
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

/* ---- what is kept of answers --------------------------------------------------------------------------- */

static void begin_trail(struct policy_trail *t, enum policy_scope scope)
{
	t->text.len = t->start[scope];
	t->text.s[t->text.len] = '\0';
	t->text.full = false;
	for (unsigned i = scope; i < POLICY_SCOPES; i++)
		t->start[i] = t->text.len;
}

static void begin_scope(struct policy_session *now, enum policy_scope scope)
{
	begin_trail(&now->headers, scope);
	begin_trail(&now->tags, scope);
	now->headers_written = 0;
	for (unsigned i = scope; i < POLICY_SCOPES; i++) {
		now->discard[i] = false;
		now->queue[i][0] = '\0';
	}
}

/* A policy that is asked for each recipient says the same of each: once is enough. */
static bool has_header(const struct str *headers, const char *header)
{
	const size_t n = strlen(header);

	for (const char *at = headers->s; (at = strstr(at, header)) != NULL; at++)
		if ((at == headers->s || at[-1] == '\n') && at[n] == '\n')
			return true;
	return false;
}

static void keep_headers(struct str *headers, const struct policy_items *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (has_header(headers, list->item[i]))
			continue;
		str_puts(headers, list->item[i]);
		str_putc(headers, '\n');
	}
}

static bool has_tag(const struct str *tags, const char *tag)
{
	const size_t n = strlen(tag);

	for (const char *at = tags->s; *at != '\0'; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == n && memcmp(at, tag, n) == 0)
			return true;
	return false;
}

static void keep_tags(struct str *tags, const struct policy_items *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (has_tag(tags, list->item[i]))
			continue;
		if (tags->len > 0)
			str_putc(tags, ',');
		str_puts(tags, list->item[i]);
	}
}

/* What stands behind end is taken back. */
static void end_addition(struct policy_trail *t, enum policy_scope scope, size_t end)
{
	t->text.len = end;
	t->text.s[end] = '\0';
	t->text.full = false;
	for (unsigned i = scope + 1u; i < POLICY_SCOPES; i++)
		t->start[i] = end;
}

/* All that an answer says, or nothing of it. */
static const char *keep(struct policy_session *now, enum policy_scope scope, const struct policy_answer *a)
{
	struct str *headers = &now->headers.text, *tags = &now->tags.text;
	const size_t headers_before = headers->len, tags_before = tags->len;
	const char *wrong;

	if (strlen(a->queue) >= POLICY_QUEUE)
		return "names a queue of more than 63 bytes";
	keep_headers(headers, &a->header);
	keep_tags(tags, &a->tag);
	if (headers->len > now->header_bytes_used)
		now->header_bytes_used = headers->len;
	wrong = headers->full ? "has too many headers" : tags->full ? "has too many tags" : NULL;
	end_addition(&now->headers, scope, wrong == NULL ? headers->len : headers_before);
	end_addition(&now->tags, scope, wrong == NULL ? tags->len : tags_before);
	if (wrong != NULL)
		return wrong;
	if (a->queue[0] != '\0')
		memcpy(now->queue[scope], a->queue, strlen(a->queue) + 1);
	if (a->action == POLICY_DISCARD)
		now->discard[scope] = true;
	return NULL;
}

/* ---- what is said -------------------------------------------------------------------------------------- */

enum { WORDS_MAX = 460 }; /* and the status behind them, in a line of 512 bytes */

struct verdict {
	unsigned low, high; /* codes that are allowed */
	unsigned code;      /* else */
	const char *status;
	const char *words;
};

static const struct verdict refused = { 500, 599, 550, "5.7.1", "sorry, refused by policy" };
static const struct verdict refused_first = { 500, 599, 554, "5.7.1", "sorry, refused by policy" };
static const struct verdict later = { 400, 499, 451, "4.7.1", "sorry, try again later" };
static const struct verdict later_first = { 400, 499, 421, "4.7.1", "sorry, try again later" };
static const struct verdict closed = { 500, 599, 554, "5.7.1", "sorry, refused by policy" };

/* Of a session without a command yet there is nothing to refuse for now: it ends (421). */
static const struct verdict *verdict_of(enum policy_stage stage, const struct policy_answer *a)
{
	if (a->action == POLICY_DROP)
		return a->code / 100 == 4 || (a->code == 0 && a->status[0] == '4') ? &later_first : &closed;
	if (a->action == POLICY_DEFER)
		return stage == POLICY_CONNECT ? &later_first : &later;
	return stage == POLICY_CONNECT ? &refused_first : &refused;
}

/* The class of what it says is that of its action, whatever it says. */
static enum reply say(struct session *s, const struct policy_peer *p, enum policy_stage stage,
	const struct policy_answer *a)
{
	const struct verdict *v = verdict_of(stage, a);
	struct policy_said *said = &s->ask->now.said;
	const bool allowed = a->code >= v->low && a->code <= v->high;
	struct str status, words;
	const char *text;

	said->by = p->line.name;
	said->code = allowed ? (unsigned)a->code : v->code;
	str_init(&status, said->status, sizeof said->status);
	str_puts(&status, a->status[0] == v->status[0] ? a->status : v->status);
	str_init(&words, said->words, sizeof said->words);
	text = a->text[0] != '\0' ? a->text : v->words;
	str_put(&words, text, strnlen(text, WORDS_MAX));
	if (strstr(words.s, "(#") == NULL) {
		str_puts(&words, " (#");
		str_puts(&words, said->status);
		str_putc(&words, ')');
	}
	if (a->action == POLICY_DROP || said->code == 421)
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

static bool wants(const struct policy_peer *p, enum policy_stage stage)
{
	return (p->line.stages & POLICY_STAGE_BIT(stage)) != 0;
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
		wrong = keep(&all->now, scope_of(q->stage), a);
	if (wrong == NULL) {
		all->now.delay += a->delay < POLICY_DELAY_MS ? a->delay : POLICY_DELAY_MS;
		return 0;
	}
	policy_peer_fail(p);
	tell_failed(s, p, wrong);
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

		if (!wants(p, stage))
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
			tell_failed(s, p, p->broken);
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
	begin_scope(now, POLICY_OF_HELO);
	r = ask_all(s, POLICY_HELO);
	now->barred = r == REPLY_NONE ? BARRED_NOT : BARRED_MAIL;
	return r;
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
	begin_scope(now, POLICY_OF_TRANSACTION);
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

/* Who gets the text next, from the one at from on; NULL: the queue. */
static struct policy_peer *next_holder(struct policy_ask *a, struct policy_peer *from)
{
	for (struct policy_peer *p = from; p < a->peers + a->count; p++)
		if (wants(p, POLICY_TEXT) && p->fd != -1)
			return p;
	return NULL;
}

/* One that wants the text, is not there, and must not be passed over: better known before the text comes. */
static struct policy_peer *missing_holder(struct policy_ask *a)
{
	for (struct policy_peer *p = a->peers; p < a->peers + a->count; p++)
		if (wants(p, POLICY_TEXT) && p->fd == -1 && !p->line.accepts)
			return p;
	return NULL;
}

enum reply policy_ask_data(struct session *s)
{
	struct policy_peer *missing;
	enum reply r;

	if (is_idle(s))
		return REPLY_NONE;
	r = ask_all(s, POLICY_DATA);
	if (r != REPLY_NONE)
		return r;
	missing = missing_holder(s->ask);
	if (missing != NULL)
		return say_later(s, missing, POLICY_DATA);
	s->ask->now.holder = next_holder(s->ask, s->ask->peers);
	s->ask->now.headers_written = 0;
	return REPLY_NONE;
}

static int put(struct session *s, struct policy_peer *to, const char *p, size_t n)
{
	struct policy_request q;
	const char *wrong;

	if (to == NULL)
		return door_write(s->door, p, n);
	if (to->fd == -1)
		return -1;
	policy_request_init(&q);
	q.stage = POLICY_TEXT;
	q.session = s->id;
	q.bytes = n;
	to->in_session = to->in_transaction = true;
	wrong = policy_peer_tell(to, &s->ask->buffers, &q, p, n);
	if (wrong == NULL)
		return 0;
	tell_failed(s, to, wrong);
	return -1;
}

/* Line by line where lines end in CR LF. */
static int put_binary(struct session *s, struct policy_peer *to, const char *p, size_t n)
{
	while (n > 0) {
		const size_t line = (size_t)((const char *)memchr(p, '\n', n) - p);

		if (put(s, to, p, line) == -1 || put(s, to, "\r\n", 2) == -1)
			return -1;
		p += line + 1;
		n -= line + 1;
	}
	return 0;
}

static int put_headers(struct session *s, struct policy_peer *to)
{
	struct policy_session *now = &s->ask->now;
	const char *p = now->headers.text.s + now->headers_written;
	const size_t n = now->headers.text.len - now->headers_written;

	if (n == 0)
		return 0;
	now->headers_written += n;
	return s->text.binary ? put_binary(s, to, p, n) : put(s, to, p, n);
}

int policy_ask_text(struct session *s, const char *p, size_t n)
{
	if (is_idle(s))
		return door_write(s->door, p, n);
	if (put_headers(s, s->ask->now.holder) == -1)
		return -1;
	return n > 0 ? put(s, s->ask->now.holder, p, n) : 0;
}

/* The message that comes back goes on to whoever holds it next. */
static const char *pass_back(struct session *s, struct policy_peer *from, uint64_t left)
{
	struct policy_session *now = &s->ask->now;

	if (put_headers(s, now->holder) == -1)
		s->text.unwanted = true;
	while (left > 0) {
		const char *piece, *wrong;
		size_t n;

		wrong = policy_peer_message(from, &s->ask->buffers, left, &piece, &n);
		if (wrong != NULL)
			return wrong;
		left -= n;
		if (!s->text.unwanted && put(s, now->holder, piece, n) == -1)
			s->text.unwanted = true;
	}
	return NULL;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

/* The text is with it: without its answer there is none, whatever its line says. */
static enum reply end_of_holder(
	struct session *s, struct policy_peer *p, const struct policy_answer *a, bool is_last)
{
	const char *wrong;

	if (a->action == POLICY_DISCARD)
		return REPLY_NONE;
	s->ask->now.holder = is_last ? NULL : next_holder(s->ask, p + 1);
	wrong = a->message == POLICY_NO_MESSAGE || a->message == 0 ? "keeps the message"
								   : pass_back(s, p, a->message);
	if (wrong == NULL)
		return REPLY_NONE;
	policy_peer_fail(p);
	tell_failed(s, p, wrong);
	return say_later(s, p, POLICY_END);
}

/* Without a recipient there is nothing to be queued. */
static bool change_envelope(struct session *s, struct policy_peer *p, const struct policy_answer *a)
{
	const char *wrong = policy_envelope_change(s, a);

	if (wrong != NULL) {
		policy_peer_fail(p);
		tell_failed(s, p, wrong);
	}
	if (s->envelope.recipients == 0)
		s->ask->now.discard[POLICY_OF_TRANSACTION] = true;
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
		if (wants(p, POLICY_END) && (!accepted || s->ask->now.holder == p))
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
		tell_failed(s, p, wrong);
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
	begin_scope(&s->ask->now, POLICY_OF_TRANSACTION);
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
	const bool *d = is_idle(s) ? NULL : s->ask->now.discard;

	return d != NULL && (d[POLICY_OF_SESSION] || d[POLICY_OF_HELO] || d[POLICY_OF_TRANSACTION]);
}

const char *policy_ask_queue(const struct session *s)
{
	if (!is_idle(s))
		for (int i = POLICY_OF_TRANSACTION; i >= POLICY_OF_SESSION; i--)
			if (s->ask->now.queue[i][0] != '\0')
				return s->ask->now.queue[i];
	return "";
}

const char *policy_ask_tags(const struct session *s)
{
	return is_idle(s) ? "" : s->ask->now.tags.text.s;
}

const struct policy_said *policy_ask_said(const struct session *s)
{
	return &s->ask->now.said;
}
