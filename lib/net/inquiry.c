#include "net/inquiry.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"

struct run {
	const struct ends *ends;
	struct found *found;
	struct dns *dns; /* NULL: no resolver can be had */
	int64_t dns_deadline_ms, ident_deadline_ms;
	bool confirm;
	int open; /* questions to the resolver */
	bool identing;
	struct ident ident;
};

static void keep(struct host *h, enum dns_result result, const char *name)
{
	h->result = result;
	if (result == DNS_FOUND)
		memcpy(h->name, name, strlen(name) + 1); /* both are DNS_NAME long */
}

static void on_local(void *arg, enum dns_result result, const char *name)
{
	struct run *r = arg;

	r->open--;
	keep(&r->found->local_host, result, name);
}

static void on_confirmed(void *arg, enum dns_result result, const char *name)
{
	struct run *r = arg;

	(void)name;
	r->open--;
	r->found->confirmed = result == DNS_FOUND;
}

static void ask_confirmation(struct run *r)
{
	const char *name = r->found->remote_host.name;

	if (r->confirm && name[0] != '\0' && r->dns != NULL)
		r->open += dns_confirm(r->dns, name, &r->ends->remote, r->dns_deadline_ms, on_confirmed,
				   r) == 0;
}

static void on_remote(void *arg, enum dns_result result, const char *name)
{
	struct run *r = arg;

	r->open--;
	keep(&r->found->remote_host, result, name);
	ask_confirmation(r);
}

static void ask_name(struct run *r, const struct addr *a, struct host *h, dns_done *done)
{
	h->result = DNS_TEMPORARY;
	r->open += r->dns != NULL && dns_ptr(r->dns, a, r->dns_deadline_ms, done, r) == 0;
}

static void end_ident(struct run *r, enum ident_state state)
{
	ident_close(&r->ident);
	r->identing = false;
	if (state != IDENT_FOUND)
		return;
	r->found->has_info = true;
	memcpy(r->found->info, r->ident.answer.text, strlen(r->ident.answer.text) + 1);
}

static void step_ident(struct run *r, bool ready)
{
	enum ident_state state = IDENT_NONE;

	if (ready)
		state = ident_step(&r->ident);
	else if (clock_ms() < r->ident_deadline_ms)
		return;
	if (state != IDENT_BUSY)
		end_ident(r, state);
}

/* One wait for everything that is still open. */
static int wait_and_step(struct run *r)
{
	struct pollfd fds[DNS_POLL + 1];
	const size_t count = r->dns == NULL ? 0 : dns_poll(r->dns, fds);
	int64_t wake = r->dns == NULL ? CLOCK_NEVER : dns_deadline(r->dns);

	fds[count].fd = -1;
	if (r->identing) {
		fds[count] = ident_poll(&r->ident);
		if (r->ident_deadline_ms < wake)
			wake = r->ident_deadline_ms;
	}
	fds[count].revents = 0;
	if (poll(fds, count + 1, clock_left_ms(wake)) == -1 && errno != EINTR)
		return -1;
	if (r->dns != NULL)
		dns_step(r->dns, fds, count);
	if (r->identing)
		step_ident(r, fds[count].revents != 0);
	return 0;
}

int inquire(const struct inquiry *what, const struct ends *e, struct found *f)
{
	const int64_t now = clock_ms();
	struct run r = {
		.ends = e,
		.found = f,
		.dns_deadline_ms = now + what->dns_timeout_ms,
		.ident_deadline_ms = now + what->ident_timeout_ms,
		.confirm = what->confirm,
	};
	int error = 0;

	if (what->local_host || what->remote_host || what->confirm)
		r.dns = dns_open(); /* without one all names are temporary failures */
	if (what->local_host)
		ask_name(&r, &e->local, &f->local_host, on_local);
	if (what->remote_host)
		ask_name(&r, &e->remote, &f->remote_host, on_remote);
	else
		ask_confirmation(&r);
	r.identing = what->ident &&
		     ident_open(&r.ident, &e->local, e->local_port, &e->remote, e->remote_port) == 0;
	while (error == 0 && (r.open > 0 || r.identing))
		error = wait_and_step(&r);
	if (r.dns != NULL)
		dns_close(r.dns);
	return error;
}
