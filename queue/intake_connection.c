/* One connection: frames in, messages to the store, answers out in their order. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "mail/header.h"
#include "queue/intake_inside.h"

/* ---- chains -------------------------------------------------------------------------------------------- */

static struct links *links(struct connection *c, size_t which)
{
	return (struct links *)(void *)((char *)c + which);
}

static void chain_put(struct chain *h, struct connection *c, size_t which)
{
	*links(c, which) = (struct links){ .before = h->last };
	if (h->last != NULL)
		links(h->last, which)->after = c;
	else
		h->first = c;
	h->last = c;
}

static void chain_take(struct chain *h, struct connection *c, size_t which)
{
	const struct links *l = links(c, which);

	if (l->before != NULL)
		links(l->before, which)->after = l->after;
	else
		h->first = l->after;
	if (l->after != NULL)
		links(l->after, which)->before = l->before;
	else
		h->last = l->before;
}

/* ---- the message at hand ------------------------------------------------------------------------------- */

static struct handed *at_hand(struct connection *c)
{
	return &c->ring[(c->first + c->count) % DOOR_WIRE_UNANSWERED];
}

static void free_envelope(struct connection *c)
{
	if (c->envelope != NULL)
		share_give(&c->in->shares, c->share, c->envelope, c->envelope_bytes);
	c->envelope = NULL;
	c->envelope_len = 0;
}

/* It will not be taken; what still comes of it is read and forgotten. */
static void refuse(struct connection *c, enum verdict why)
{
	if (c->message != NULL)
		c->in->ops->abandon(c->message);
	c->message = NULL;
	if (c->verdict == VERDICT_KEPT)
		c->verdict = why;
}

/* As if nothing of it had come. */
static void forget(struct connection *c)
{
	refuse(c, VERDICT_CUT);
	free_envelope(c);
	c->begun = false;
	c->verdict = VERDICT_KEPT;
}

static void put_received(const struct connection *c, struct str *out)
{
	const struct intake *i = c->in;
	const uid_t uid = c->peer.uid;

	str_puts(out, "Received: (qmail ");
	str_putu(out, (unsigned long)c->peer.pid);
	str_puts(out, " invoked ");
	if (uid == i->alias)
		str_puts(out, "by alias");
	else if (uid == i->network)
		str_puts(out, "from network");
	else if (uid == i->bounces)
		str_puts(out, "for bounce");
	else {
		str_puts(out, "by uid ");
		str_putu(out, uid);
	}
	str_puts(out, "); ");
	header_date(out, time(NULL));
	str_putc(out, '\n');
}

static void begin(struct connection *c)
{
	struct handed *h = at_hand(c);
	char memory[128];
	struct str head;

	if (c->begun)
		return;
	c->begun = true;
	*h = (struct handed){ .from = c };
	str_init(&head, memory, sizeof memory);
	put_received(c, &head);
	c->message = c->in->ops->begin(c->in->store, h, head.s, head.len);
	if (c->message == NULL)
		refuse(c, intake_verdict_of(errno));
}

static void write_text(struct connection *c, const char *p, size_t n)
{
	if (c->message != NULL && c->in->ops->write(c->message, p, n) == -1)
		refuse(c, intake_verdict_of(errno));
}

static void begin_envelope(struct connection *c, size_t bytes)
{
	if (c->message == NULL || bytes == 0)
		return;
	c->envelope_bytes = bytes;
	c->envelope = share_take(&c->in->shares, c->share, bytes);
	if (c->envelope == NULL)
		refuse(c, VERDICT_MEMORY);
}

static void write_envelope(struct connection *c, const char *p, size_t n)
{
	if (c->envelope == NULL)
		return;
	memcpy(c->envelope + c->envelope_len, p, n);
	c->envelope_len += n;
}

static void answer(struct handed *h, enum verdict verdict)
{
	h->verdict = (unsigned char)verdict;
	h->answered = true;
	connection_to_serve(h->from);
}

/* The store may say that it is kept as soon as it has it, so it counts before. */
static void finish(struct connection *c)
{
	struct handed *h = at_hand(c);
	struct envelope e;

	envelope_init(&e, c->envelope, c->envelope_len);
	if (c->verdict == VERDICT_KEPT)
		c->verdict = intake_verdict_of_envelope(&e, c->envelope_len);
	c->count++;
	c->in->unanswered++;
	if (c->verdict != VERDICT_KEPT) {
		const enum verdict why = c->verdict;

		forget(c);
		answer(h, why);
		return;
	}
	c->in->ops->finish(c->message, &e, &c->peer);
	c->message = NULL;
	forget(c);
}

/* ---- from the peer ------------------------------------------------------------------------------------- */

/* What it says waits: for the store, or for answers that it does not take. */
static bool is_blocked(const struct connection *c)
{
	return c->count == DOOR_WIRE_UNANSWERED || (c->message != NULL && c->in->ops->busy(c->message));
}

static void refuse_frame(struct connection *c)
{
	begin(c);
	refuse(c, VERDICT_FRAME);
	c->verdict = VERDICT_FRAME;
	finish(c);
	c->closing = true;
}

static void obey(struct connection *c, enum door_wire_event e)
{
	const struct door_wire *w = &c->wire;

	if (e == DOOR_WIRE_BAD) {
		refuse_frame(c);
	} else if (w->letter == 'M') {
		if (e == DOOR_WIRE_BEGIN)
			begin(c);
		else if (e == DOOR_WIRE_BYTES)
			write_text(c, w->p, w->n);
	} else if (w->letter == 'E') {
		if (e == DOOR_WIRE_BEGIN) {
			begin(c);
			begin_envelope(c, w->total);
		} else if (e == DOOR_WIRE_BYTES) {
			write_envelope(c, w->p, w->n);
		} else {
			finish(c);
		}
	} else if (e == DOOR_WIRE_END) {
		forget(c);
	}
}

/* Returns how many bytes it took: not all when it has to wait. */
static size_t feed(struct connection *c, const char *p, size_t n)
{
	size_t at = 0, used;

	while (at < n && !c->closing && !is_blocked(c)) {
		const enum door_wire_event e = door_wire_next(&c->wire, p + at, n - at, &used);

		at += used;
		if (e != DOOR_WIRE_MORE)
			obey(c, e);
	}
	return at;
}

static void free_rest(struct connection *c)
{
	free(c->rest);
	c->rest = NULL;
	c->rest_at = c->rest_len = 0;
}

static void keep_rest(struct connection *c, const char *p, size_t n)
{
	c->rest = malloc(n);
	if (c->rest == NULL) {
		connection_gone(c); /* rather than that a message loses its middle */
		return;
	}
	memcpy(c->rest, p, n);
	c->rest_at = 0;
	c->rest_len = n;
}

static void read_rest(struct connection *c)
{
	c->rest_at += feed(c, c->rest + c->rest_at, c->rest_len - c->rest_at);
	if (c->rest_at == c->rest_len || c->closing)
		free_rest(c);
}

static void read_some(struct connection *c)
{
	const ssize_t n = recv(c->fd, c->in->bytes, sizeof c->in->bytes, MSG_DONTWAIT);
	size_t used;

	if (n > 0) {
		used = feed(c, c->in->bytes, (size_t)n);
		if (used < (size_t)n && !c->closing)
			keep_rest(c, c->in->bytes + used, (size_t)n - used);
	} else if (n == 0) {
		c->eof = true;
		forget(c);
	} else if (errno != EAGAIN && errno != EINTR) {
		connection_gone(c);
	}
}

static bool may_read(const struct connection *c)
{
	return c->fd != -1 && !c->eof && !c->closing && c->rest == NULL && !is_blocked(c);
}

/* Who hangs up while we make it wait has handed in nothing of what waits. */
static void take(struct connection *c)
{
	const bool readable = c->readable;

	c->readable = false;
	if (c->rest != NULL) {
		read_rest(c);
	} else if (readable && may_read(c)) {
		read_some(c);
		return;
	}
	if (readable && c->hung && !may_read(c))
		connection_gone(c);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

enum { BATCH = 16 };

static void pop(struct connection *c)
{
	c->first = (c->first + 1) % DOOR_WIRE_UNANSWERED;
	c->count--;
	c->in->unanswered--;
}

static bool has_answer(const struct connection *c, unsigned nth)
{
	return nth < c->count && c->ring[(c->first + nth) % DOOR_WIRE_UNANSWERED].answered;
}

/* Some of them, in one piece. False: the peer does not take more now. */
static bool send_batch(struct connection *c)
{
	char bytes[BATCH * INTAKE_ANSWER];
	size_t ends[BATCH], len = 0;
	unsigned many = 0;
	ssize_t n;

	for (; many < BATCH && has_answer(c, many); many++) {
		len += intake_answer_of(&c->ring[(c->first + many) % DOOR_WIRE_UNANSWERED], bytes + len);
		ends[many] = len;
	}
	n = send(c->fd, bytes + c->sent, len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			connection_gone(c);
		return false;
	}
	c->sent += (size_t)n;
	for (unsigned i = 0; i < many && c->sent >= ends[i] - (i > 0 ? ends[i - 1] : 0); i++) {
		c->sent -= ends[i] - (i > 0 ? ends[i - 1] : 0);
		pop(c);
	}
	return c->sent == 0;
}

static void send_answers(struct connection *c)
{
	while (c->fd != -1 && has_answer(c, 0))
		if (!send_batch(c))
			break;
	while (c->fd == -1 && has_answer(c, 0))
		pop(c);
}

/* ---- its life ------------------------------------------------------------------------------------------ */

struct connection *connection_open(
	struct intake *i, int fd, const struct store_origin *peer, struct share *share)
{
	struct connection *c = calloc(1, sizeof *c);
	struct epoll_event e = { .events = EPOLLIN, .data = { .ptr = c } };

	if (c == NULL)
		return NULL;
	c->in = i;
	c->fd = fd;
	c->events = EPOLLIN;
	c->peer = *peer;
	c->share = share;
	door_wire_init(&c->wire, DOOR_WIRE_OF_CLIENT);
	if (epoll_ctl(i->epoll, EPOLL_CTL_ADD, fd, &e) == -1) {
		free(c);
		return NULL;
	}
	chain_put(&i->all, c, offsetof(struct connection, all));
	return c;
}

void connection_to_serve(struct connection *c)
{
	if (c->to_serve)
		return;
	c->to_serve = true;
	c->next_to_serve = NULL;
	*c->in->last_to_serve = c;
	c->in->last_to_serve = &c->next_to_serve;
}

void connection_say_no_more(struct connection *c)
{
	forget(c);
	free_rest(c);
	c->closing = true;
	connection_to_serve(c);
}

void connection_gone(struct connection *c)
{
	connection_say_no_more(c);
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

void connection_free(struct connection *c)
{
	if (c->fd != -1)
		close(c->fd);
	if (c->awaited)
		chain_take(&c->in->waiting, c, offsetof(struct connection, waiting));
	chain_take(&c->in->all, c, offsetof(struct connection, all));
	free_envelope(c);
	free_rest(c);
	c->in->unanswered -= c->count;
	share_leave(&c->in->shares, c->share);
	free(c);
}

/* It owes us the rest of its message, or to take an answer. */
static bool is_awaited(const struct connection *c)
{
	const bool within = c->begun || c->wire.at != DOOR_WIRE_LEN || c->wire.left > 0;

	return c->fd != -1 && (has_answer(c, 0) || (within && may_read(c)));
}

static void set_waiting(struct connection *c)
{
	if (c->awaited)
		chain_take(&c->in->waiting, c, offsetof(struct connection, waiting));
	c->awaited = is_awaited(c);
	c->since_ms = c->in->now_ms;
	if (c->awaited)
		chain_put(&c->in->waiting, c, offsetof(struct connection, waiting));
}

static void set_events(struct connection *c)
{
	const unsigned events = (may_read(c) ? EPOLLIN : 0U) | (has_answer(c, 0) ? EPOLLOUT : 0U);
	struct epoll_event e = { .events = events, .data = { .ptr = c } };

	if (c->fd == -1 || events == c->events)
		return;
	c->events = events;
	if (epoll_ctl(c->in->epoll, EPOLL_CTL_MOD, c->fd, &e) == -1)
		connection_gone(c);
}

static bool is_over(const struct connection *c)
{
	return c->count == 0 && (c->fd == -1 || c->eof || c->closing);
}

static void serve(struct connection *c)
{
	take(c);
	send_answers(c);
	set_events(c);
	set_waiting(c);
	if (c->rest != NULL && !is_blocked(c))
		connection_to_serve(c);
	if (!c->to_serve && is_over(c))
		connection_free(c);
}

void connection_serve_all(struct intake *i)
{
	struct connection *c;

	i->now_ms = clock_ms();
	while ((c = i->to_serve) != NULL) {
		i->to_serve = c->next_to_serve;
		if (i->to_serve == NULL)
			i->last_to_serve = &i->to_serve;
		c->to_serve = false;
		serve(c);
	}
}

/* ---- from the store ------------------------------------------------------------------------------------ */

void intake_kept(void *owner, uint64_t id)
{
	struct handed *h = owner;

	h->id = id;
	h->when = (uint32_t)time(NULL);
	answer(h, VERDICT_KEPT);
}

void intake_lost(void *arg, void *owner, int error)
{
	(void)arg;
	answer(owner, intake_verdict_of(error));
}

void intake_ready(void *arg, void *owner)
{
	(void)arg;
	connection_to_serve(((struct handed *)owner)->from);
}
