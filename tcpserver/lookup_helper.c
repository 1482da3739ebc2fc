#include "tcpserver/lookup_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/dns.h"
#include "net/ident.h"
#include "tcpserver/lookup.h"

struct helper;

struct request {
	struct request *next;
	struct helper *helper;
	struct lookup_question question;
	struct lookup_answer answer;
	int64_t deadline_ms;
	int open; /* look-ups that have not ended yet */
	bool identing;
	struct ident ident;
	size_t slot; /* of ident in the poll set of this round */
};

struct helper {
	const struct config *config;
	int fd;
	struct dns *dns; /* NULL: no resolver can be had, so no names */
	struct request *requests;
	size_t count;
	struct pollfd *fds;
	size_t room;
};

/* ---- one request ---------------------------------------------------------------------------------- */

static void on_local_name(void *arg, enum dns_result result, const char *name)
{
	struct request *r = arg;

	if (result == DNS_FOUND)
		memcpy(r->answer.names.local_host, name, strlen(name) + 1); /* both are DNS_NAME long */
	r->open--;
}

static void on_confirmed(void *arg, enum dns_result result, const char *name)
{
	struct request *r = arg;

	(void)name;
	r->answer.names.remote_confirmed = result == DNS_FOUND;
	r->open--;
}

/* Who only reads TCPREMOTEHOST does not pay for a second look-up. */
static bool needs_confirmation(const struct config *c)
{
	return c->paranoid || c->rules != NULL;
}

static void on_remote_name(void *arg, enum dns_result result, const char *name)
{
	struct request *r = arg;
	struct helper *h = r->helper;
	char *host = r->answer.names.remote_host;

	if (result == DNS_FOUND) {
		memcpy(host, name, strlen(name) + 1);
		if (needs_confirmation(h->config) && dns_confirm(h->dns, host, &r->question.ends.remote,
							     r->deadline_ms, on_confirmed, r) == 0)
			return; /* still open */
	}
	r->open--;
}

static void end_ident(struct request *r, enum ident_state state)
{
	if (state == IDENT_FOUND) {
		memcpy(r->answer.names.remote_info, r->ident.answer.text, strlen(r->ident.answer.text) + 1);
		r->answer.names.has_remote_info = true;
	}
	ident_close(&r->ident);
	r->identing = false;
	r->open--;
}

static void begin(struct helper *h, struct request *r)
{
	const struct config *c = h->config;
	const struct ends *e = &r->question.ends;

	if (h->dns != NULL && c->local_name == NULL &&
		dns_ptr(h->dns, &e->local, r->deadline_ms, on_local_name, r) == 0)
		r->open++;
	if (h->dns != NULL && c->remote_name &&
		dns_ptr(h->dns, &e->remote, r->deadline_ms, on_remote_name, r) == 0)
		r->open++;
	r->identing = c->remote_info &&
		      ident_open(&r->ident, &e->local, e->local_port, &e->remote, e->remote_port) == 0;
	if (r->identing)
		r->open++;
}

/* ---- the socket to the server --------------------------------------------------------------------- */

static void reply(const struct helper *h, const struct lookup_answer *a)
{
	ssize_t n;

	do
		n = send(h->fd, a, sizeof *a, MSG_NOSIGNAL); /* the server never stops reading */
	while (n == -1 && errno == EINTR);
	if (n == -1)
		_exit(0);
}

static void accept_question(struct helper *h, const struct lookup_question *q)
{
	struct request *r = calloc(1, sizeof *r);

	if (r == NULL) {
		const struct lookup_answer nothing = { .id = q->id };

		reply(h, &nothing);
		return;
	}
	r->helper = h;
	r->question = *q;
	r->answer.id = q->id;
	r->deadline_ms = clock_ms() + h->config->timeout_ms;
	r->next = h->requests;
	h->requests = r;
	h->count++;
	begin(h, r);
} /* NOLINT(clang-analyzer-unix.Malloc): it is in the list of h */

static void read_questions(struct helper *h)
{
	for (;;) {
		struct lookup_question q;
		const ssize_t n = recv(h->fd, &q, sizeof q, MSG_DONTWAIT);

		if (n == (ssize_t)sizeof q)
			accept_question(h, &q);
		else if (n == -1 && errno == EINTR)
			continue;
		else if (n == -1 && errno == EAGAIN)
			return;
		else
			_exit(0); /* the server is gone, and so is who would want an answer */
	}
}

/* ---- the loop ------------------------------------------------------------------------------------- */

/* What has ended is answered and forgotten; an ident that is late ends here. */
static void finish_requests(struct helper *h)
{
	const int64_t now = clock_ms();
	struct request **link = &h->requests;

	while (*link != NULL) {
		struct request *r = *link;

		if (r->identing && r->deadline_ms <= now)
			end_ident(r, IDENT_NONE);
		if (r->open > 0) {
			link = &r->next;
			continue;
		}
		reply(h, &r->answer);
		*link = r->next;
		h->count--;
		free(r);
	}
}

static void reserve(struct helper *h)
{
	const size_t need = 1 + DNS_POLL + h->count;

	if (need <= h->room)
		return;
	h->room = need * 2;
	free(h->fds);
	h->fds = calloc(h->room, sizeof *h->fds);
	if (h->fds == NULL)
		_exit(EXIT_TEMPORARY); /* the server starts another */
}

/* The socket first, then the resolver's descriptors, then one for each ident. */
static void wait_and_step(struct helper *h)
{
	int64_t wake = CLOCK_NEVER;
	size_t count = 1, dns_count = 0;

	reserve(h);
	h->fds[0] = (struct pollfd){ .fd = h->fd, .events = POLLIN };
	if (h->dns != NULL) {
		dns_count = dns_poll(h->dns, h->fds + 1);
		wake = dns_deadline(h->dns);
	}
	count += dns_count;
	for (struct request *r = h->requests; r != NULL; r = r->next) {
		if (!r->identing)
			continue;
		r->slot = count;
		h->fds[count++] = ident_poll(&r->ident);
		if (r->deadline_ms < wake)
			wake = r->deadline_ms;
	}
	if (poll(h->fds, count, clock_left_ms(wake)) == -1 && errno != EINTR)
		_exit(EXIT_TEMPORARY);
	for (struct request *r = h->requests; r != NULL; r = r->next) {
		enum ident_state state;

		if (!r->identing || h->fds[r->slot].revents == 0)
			continue;
		state = ident_step(&r->ident);
		if (state != IDENT_BUSY)
			end_ident(r, state);
	}
	if (h->dns != NULL)
		dns_step(h->dns, h->fds + 1, dns_count);
	if (h->fds[0].revents != 0)
		read_questions(h);
}

_Noreturn void lookup_helper(const struct config *c, int fd)
{
	struct helper h = { .config = c, .fd = fd };

	/* answers are sent without a look at the clock: only the questions are read without waiting */
	if (fcntl(fd, F_SETFL, 0) == -1)
		_exit(EXIT_TEMPORARY);
	if (c->local_name == NULL || c->remote_name) {
		h.dns = dns_open();
		if (h.dns == NULL)
			warn("no names of clients: the servers of DNSCACHEIP or resolv.conf cannot be "
			     "used");
	}
	for (;;) {
		wait_and_step(&h);
		finish_requests(&h);
	}
}
