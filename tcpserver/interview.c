#include "tcpserver/interview.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"

struct asked {
	char *host; /* DNS_NAME bytes */
	bool open;
};

struct talk {
	struct dns *dns; /* NULL: no resolver can be had */
	struct asked local, remote;
	bool identing;
	struct ident ident;
	int64_t deadline_ms;
};

static void on_name(void *arg, enum dns_result result, const char *name)
{
	struct asked *a = arg;

	a->open = false;
	if (result == DNS_FOUND)
		memcpy(a->host, name, strlen(name) + 1); /* both are DNS_NAME long */
}

static void ask_name(struct talk *t, bool wanted, const struct addr *of, struct asked *a, char *host)
{
	a->host = host;
	a->open = wanted && t->dns != NULL && dns_ptr(t->dns, of, t->deadline_ms, on_name, a) == 0;
}

static void end_ident(struct talk *t, enum ident_state state, struct names *found)
{
	const char *text = t->ident.answer.text;

	if (state == IDENT_FOUND) {
		memcpy(found->remote_info, text, strlen(text) + 1);
		found->has_remote_info = true;
	}
	ident_close(&t->ident);
	t->identing = false;
}

static void step_ident(struct talk *t, bool ready, struct names *found)
{
	enum ident_state state = IDENT_NONE;

	if (ready)
		state = ident_step(&t->ident);
	else if (clock_ms() < t->deadline_ms)
		return;
	if (state != IDENT_BUSY)
		end_ident(t, state, found);
}

static int wait_and_step(struct talk *t, struct names *found)
{
	struct pollfd fds[DNS_POLL + 1];
	const size_t count = t->dns == NULL ? 0 : dns_poll(t->dns, fds);
	int64_t wake = t->dns == NULL ? CLOCK_NEVER : dns_deadline(t->dns);

	fds[count] = (struct pollfd){ .fd = -1 };
	if (t->identing) {
		fds[count] = ident_poll(&t->ident);
		if (t->deadline_ms < wake)
			wake = t->deadline_ms;
	}
	if (poll(fds, count + 1, clock_left_ms(wake)) == -1 && errno != EINTR)
		return -1;
	if (t->dns != NULL)
		dns_step(t->dns, fds, count);
	if (t->identing)
		step_ident(t, fds[count].revents != 0, found);
	return 0;
}

void interview(const struct interview *what, const struct ends *e, struct names *found)
{
	struct talk t = { .deadline_ms = clock_ms() + what->timeout_ms };

	memset(found, 0, sizeof *found);
	if (what->local_host || what->remote_host)
		t.dns = dns_open();
	ask_name(&t, what->local_host, &e->local, &t.local, found->local_host);
	ask_name(&t, what->remote_host, &e->remote, &t.remote, found->remote_host);
	t.identing = what->remote_info &&
		     ident_open(&t.ident, &e->local, e->local_port, &e->remote, e->remote_port) == 0;
	while (t.local.open || t.remote.open || t.identing)
		if (wait_and_step(&t, found) == -1)
			break;
	if (t.identing)
		end_ident(&t, IDENT_NONE, found);
	if (t.dns != NULL)
		dns_close(t.dns);
}
