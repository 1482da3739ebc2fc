#include "smtpd/policy_text.h"

#include <string.h>

/* Who gets the text next, from the one at from on; NULL: the queue. */
static struct policy_peer *next_holder(struct policy_ask *a, struct policy_peer *from)
{
	for (struct policy_peer *p = from; p < a->peers + a->count; p++)
		if (policy_line_wants(&p->line, POLICY_TEXT) && p->fd != -1)
			return p;
	return NULL;
}

/* One that wants the text, is not there, and must not be passed over: better known before the text comes. */
static struct policy_peer *missing_holder(struct policy_ask *a)
{
	for (struct policy_peer *p = a->peers; p < a->peers + a->count; p++)
		if (policy_line_wants(&p->line, POLICY_TEXT) && p->fd == -1 && !p->line.accepts)
			return p;
	return NULL;
}

struct policy_peer *policy_text_begin(struct session *s)
{
	struct policy_ask *a = s->ask;
	struct policy_peer *missing = missing_holder(a);

	if (missing != NULL)
		return missing;
	a->now.holder = next_holder(a, a->peers);
	a->now.kept.headers_written = 0;
	return NULL;
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
	policy_ask_failed(s, to, wrong);
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
	struct policy_kept *now = &s->ask->now.kept;
	const char *p = now->headers.text.s + now->headers_written;
	const size_t n = now->headers.text.len - now->headers_written;

	if (n == 0)
		return 0;
	now->headers_written += n;
	return s->text.binary ? put_binary(s, to, p, n) : put(s, to, p, n);
}

int policy_text_put(struct session *s, const char *p, size_t n)
{
	if (put_headers(s, s->ask->now.holder) == -1)
		return -1;
	return n > 0 ? put(s, s->ask->now.holder, p, n) : 0;
}

/* The message that comes back goes on to whoever holds it next. */
const char *policy_text_back(struct session *s, struct policy_peer *from, uint64_t left, bool is_last)
{
	struct policy_session *now = &s->ask->now;

	now->holder = is_last ? NULL : next_holder(s->ask, from + 1);
	if (left == 0)
		return "keeps the message";
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
