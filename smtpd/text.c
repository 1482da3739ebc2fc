#include "smtpd/text.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "smtpd/command.h"
#include "smtpd/event.h"
#include "smtpd/policy_ask.h"
#include "smtpd/received.h"

enum {
	HOPS_MAX = 100, /* RFC 5321 section 6.3 asks for 100 at least */
	/* a text may take this long, and what its bytes take at this rate */
	SLACK_MS = 5 * 60 * 1000,
	BYTES_PER_S = 500
};

/* ---- from the client ----------------------------------------------------------------------------------- */

bool text_is_too_slow(uint64_t wire_bytes, int64_t since_ms)
{
	return (uint64_t)since_ms > SLACK_MS + wire_bytes * 1000 / BYTES_PER_S;
}

/* False: the client is gone, or shall go. */
static bool fill(struct session *s)
{
	if (s->in.from < s->in.to)
		return true;
	if (text_is_too_slow(s->text.wire_bytes, clock_ms() - s->text.begun_ms)) {
		s->text.refused = REPLY_TOO_SLOW;
		return false;
	}
	return io_fill(&s->in) == IO_OK;
}

/* What is said when fill is false. */
static enum reply lost(struct session *s)
{
	const enum reply r = s->text.refused;

	text_abort(s);
	if (r != REPLY_TOO_SLOW)
		return command_lost(s);
	s->over = true;
	return r;
}

/* ---- to the queue -------------------------------------------------------------------------------------- */

static enum reply judge_newlines(const struct session *s)
{
	if (s->text.lines.fault == DOTLINE_CLEAN)
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

static enum reply judge(const struct session *s)
{
	if (s->text.hops.hops >= HOPS_MAX)
		return REPLY_HOPS;
	if (s->set->size_max != 0 && s->text.bytes > s->set->size_max)
		return REPLY_SIZE;
	return judge_newlines(s);
}

static void pass_on(struct session *s, const char *p, size_t n)
{
	struct text *t = &s->text;

	if (n == 0)
		return;
	t->last = p[n - 1];
	t->bytes += n;
	header_hops_feed(&t->hops, p, n);
	if (t->refused == REPLY_NONE)
		t->refused = judge(s);
	if (t->refused == REPLY_NONE && !t->unwanted)
		t->unwanted = policy_ask_text(s, p, n) == -1;
}

/* From the window, up to the end of the text, of the window, or n bytes. */
static void take(struct session *s, size_t n)
{
	const char *in = s->in.buf + s->in.from;
	size_t used = n, len;

	if (s->text.binary) {
		pass_on(s, in, n);
	} else {
		used = dotline_decode(&s->text.lines, in, n, s->text_bytes, &len);
		pass_on(s, s->text_bytes, len);
	}
	s->in.from += used;
	s->text.wire_bytes += used;
}

/* False: a policy named one that is not there. *answer says what that means. */
static bool choose_door(struct session *s, struct door_answer *answer)
{
	const char *name = policy_ask_queue(s);
	struct door *chosen = queues_find(s->queues, name);

	if (chosen != NULL) {
		s->door = chosen;
		s->door->more = s->told.pairs;
		return true;
	}
	event_trouble(s, "queues", "a policy names a queue that is not in control/queues");
	*answer =
		(struct door_answer){ .letter = 'Z', .text = "mail server is configured wrongly (#4.3.5)" };
	return false;
}

/* -1: *answer says why. */
static int begin(struct session *s, bool dots, struct door_answer *answer)
{
	struct text *t = &s->text;
	char memory[1024];
	struct str received;

	*t = (struct text){ .refused = REPLY_NONE, .binary = t->binary, .begun_ms = clock_ms() };
	dotline_init(&t->lines, s->set->newline == NEWLINE_FIX, dots);
	header_hops_init(&t->hops);
	if (!choose_door(s, answer) || door_begin(s->door, answer) == -1)
		return -1;
	t->open = true;
	str_init(&received, memory, sizeof memory);
	received_put(s, &received);
	t->unwanted = received.full || policy_ask_text(s, received.s, received.len) == -1;
	return 0;
}

void text_abort(struct session *s)
{
	if (s->text.open)
		door_abort(s->door);
	s->text.open = false;
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

/* The transaction is over, and why it was refused has been found while the text passed. */
static enum reply refuse(struct session *s)
{
	const enum reply r = s->text.refused;

	if (r == REPLY_BARE_NEWLINE)
		explain_newline(s, &s->text.lines);
	s->over = s->over || r == REPLY_STRAY_NEWLINE;
	s->text.done = true;
	return r;
}

/* Before any of it: without a transaction nothing behind can be taken for its beginning. */
static enum reply refuse_all(struct session *s, enum reply r)
{
	s->text.done = true;
	return r;
}

static enum reply answer_of_queue(struct session *s, const struct door_answer *answer)
{
	event_message(s, answer, s->text.bytes);
	reply_put_answer(s, answer);
	if (answer->letter == 'K')
		command_progress(s);
	s->text.open = false;
	transaction_reset(s);
	return REPLY_NONE;
}

/* A policy wants it: nobody can tell from the answer. */
static enum reply discard(struct session *s)
{
	const struct door_answer kept = { .letter = 'K' };

	text_abort(s);
	return answer_of_queue(s, &kept);
}

static enum reply finish(struct session *s)
{
	struct door_answer answer;

	if (s->text.refused == REPLY_NONE)
		s->text.refused = policy_ask_end(s, s->text.bytes);
	if (s->text.refused == REPLY_NONE && !envelope_finish(&s->envelope))
		s->text.refused = REPLY_TOO_MANY_RECIPIENTS;
	if (s->text.refused != REPLY_NONE)
		return refuse(s);
	if (policy_ask_discards(s))
		return discard(s);
	door_end(s->door, &s->envelope, &answer);
	return answer_of_queue(s, &answer);
}

/* ---- DATA ---------------------------------------------------------------------------------------------- */

enum reply text_data(struct session *s, struct argument a)
{
	struct text *t = &s->text;
	struct door_answer answer;
	enum reply r;

	(void)a;
	if (t->binary)
		return REPLY_NEEDS_BDAT;
	r = policy_ask_data(s);
	if (r != REPLY_NONE)
		return refuse_all(s, r);
	if (begin(s, true, &answer) == -1)
		return answer_of_queue(s, &answer);
	reply_put(s, REPLY_GO_AHEAD);
	if (io_flush(&s->out) != IO_OK)
		return lost(s);
	while (!t->lines.ended && t->refused != REPLY_STRAY_NEWLINE) {
		if (!fill(s))
			return lost(s);
		take(s, s->in.to - s->in.from);
	}
	return finish(s);
}

/* ---- BDAT ---------------------------------------------------------------------------------------------- */

struct chunk {
	uint64_t left;
	bool last;
};

static bool parse_chunk(struct chunk *c, struct argument a)
{
	const char *blank = memchr(a.p, ' ', a.n);
	const size_t digits = blank != NULL ? (size_t)(blank - a.p) : a.n;
	unsigned long n;

	if (num_parse_n(a.p, digits, 0, INT64_MAX, &n) != NULL)
		return false;
	c->left = n;
	while (digits < a.n && a.p[a.n - 1] == ' ')
		a.n--;
	a.p += digits;
	a.n -= digits;
	while (a.n > 0 && a.p[0] == ' ') {
		a.p++;
		a.n--;
	}
	c->last = a.n == 4 && strncasecmp(a.p, "LAST", 4) == 0;
	return a.n == 0 || c->last;
}

static size_t in_window(const struct session *s, const struct chunk *c)
{
	const size_t have = s->in.to - s->in.from;

	return c->left < have ? (size_t)c->left : have;
}

/* A chunk of no transaction, or of one that has been refused: its bytes are no commands. The bytes of one
 * after another count for the rate. */
static enum reply skip(struct session *s, struct chunk *c, enum reply why)
{
	s->text.begun_ms = clock_ms();
	s->text.wire_bytes = 0;
	for (size_t n; c->left > 0; c->left -= n) {
		if (!fill(s))
			return lost(s);
		n = in_window(s, c);
		s->in.from += n;
		s->text.wire_bytes += n;
	}
	return why;
}

/* A CR that waits for its LF; and a queue's lines all have their end. */
static void end_of_chunks(struct session *s)
{
	char rest[DOTLINE_ROOM(0)];
	size_t n;

	if (s->text.binary)
		return;
	dotline_finish(&s->text.lines, rest, &n);
	pass_on(s, rest, n);
	if (s->text.bytes > 0 && s->text.last != '\n')
		pass_on(s, "\n", 1);
}

static enum reply out_of_order(const struct session *s)
{
	return s->state == STATE_MAIL ? REPLY_RCPT_FIRST : REPLY_MAIL_FIRST;
}

enum reply text_bdat(struct session *s, struct argument a)
{
	struct text *t = &s->text;
	struct door_answer answer;
	struct chunk c;
	enum reply r;

	if (!parse_chunk(&c, a)) {
		s->over = true; /* what follows may be commands or text, and nobody can tell */
		return REPLY_BAD_CHUNK;
	}
	if ((s->state & (STATE_RCPT | STATE_CHUNKS)) == 0)
		return skip(s, &c, out_of_order(s));
	if (s->state == STATE_RCPT && (r = policy_ask_data(s)) != REPLY_NONE)
		return skip(s, &c, refuse_all(s, r));
	if (s->state == STATE_RCPT && begin(s, false, &answer) == -1) {
		r = skip(s, &c, REPLY_NONE);
		return s->over ? r : answer_of_queue(s, &answer);
	}
	s->state = STATE_CHUNKS;
	for (size_t n; c.left > 0; c.left -= n) {
		if (!fill(s))
			return lost(s);
		n = in_window(s, &c);
		take(s, n);
	}
	if (c.last)
		end_of_chunks(s);
	if (t->refused != REPLY_NONE)
		return refuse(s);
	return c.last ? finish(s) : REPLY_CHUNK;
}
