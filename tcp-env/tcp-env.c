/* tcp-env - set the variables of a TCP connection on descriptor 0, then run a program (inetd, xinetd).
 *
 * Says nothing and exits 111 whatever goes wrong: under inetd descriptor 2 is the client. */

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/err.h"
#include "base/num.h"
#include "base/spawn.h"
#include "net/dns.h"
#include "net/ends.h"
#include "net/ident.h"
#include "net/ucspi.h"

static const char help[] =
	"tcp-env: usage: tcp-env [ -rR ] [ -t timeout ] program [ arg ... ]\n"
	"Sets PROTO, TCPLOCAL* and TCPREMOTE* for the connection on descriptor 0 and runs program.\n"
	"  -r          ask the client's host for its user by ident (default)\n"
	"  -R          do not ask\n"
	"  -t timeout  seconds to wait for that answer, 30\n"
	"  --help      print this and exit\n"
	"  --version   print the version and exit\n";

enum { IDENT_TIMEOUT_S = 30, TIMEOUT_MAX_S = 86400, DNS_TIMEOUT_MS = 30 * 1000 };
enum { VARIABLES = UCSPI_VARS, POOL = 2048 };

/* A name that cannot be had today, as qmail writes it. */
static const char *const soft_error = "softdnserror";

struct host {
	bool open;
	enum dns_result result;
	char name[DNS_NAME];
};

struct connection {
	struct ends ends;
	struct host local_host, remote_host;
	bool identing;
	bool has_info;
	struct ident ident;
};

static _Noreturn void give_up(void)
{
	_exit(EXIT_TEMPORARY);
}

static void on_name(void *arg, enum dns_result result, const char *name)
{
	struct host *h = arg;

	h->open = false;
	h->result = result;
	if (result == DNS_FOUND)
		memcpy(h->name, name, strlen(name) + 1); /* both are DNS_NAME long */
}

static void ask_name(struct dns *d, const struct addr *a, int64_t deadline_ms, struct host *h)
{
	h->result = DNS_TEMPORARY;
	h->open = d != NULL && dns_ptr(d, a, deadline_ms, on_name, h) == 0;
}

static void end_ident(struct connection *c, enum ident_state state)
{
	ident_close(&c->ident);
	c->identing = false;
	c->has_info = state == IDENT_FOUND;
}

/* One wait for everything that is still open. */
static void wait_and_step(struct connection *c, struct dns *d, int64_t ident_deadline_ms)
{
	struct pollfd fds[DNS_POLL + 1];
	const size_t count = d == NULL ? 0 : dns_poll(d, fds);
	int64_t wake = d == NULL ? CLOCK_NEVER : dns_deadline(d);

	fds[count].fd = -1;
	if (c->identing) {
		fds[count] = ident_poll(&c->ident);
		if (ident_deadline_ms < wake)
			wake = ident_deadline_ms;
	}
	fds[count].revents = 0;
	if (poll(fds, count + 1, clock_left_ms(wake)) == -1 && errno != EINTR)
		give_up();
	if (d != NULL)
		dns_step(d, fds, count);
	if (!c->identing)
		return;
	if (fds[count].revents != 0) {
		const enum ident_state state = ident_step(&c->ident);

		if (state != IDENT_BUSY)
			end_ident(c, state);
	} else if (clock_ms() >= ident_deadline_ms) {
		end_ident(c, IDENT_NONE);
	}
}

static void look_up(struct connection *c, bool ask_ident, int ident_timeout_ms)
{
	const int64_t now = clock_ms();
	const int64_t ident_deadline_ms = now + ident_timeout_ms;
	const struct ends *e = &c->ends;
	struct dns *d = dns_open(); /* without one both names are temporary failures */

	ask_name(d, &e->local, now + DNS_TIMEOUT_MS, &c->local_host);
	ask_name(d, &e->remote, now + DNS_TIMEOUT_MS, &c->remote_host);
	c->identing = ask_ident &&
		      ident_open(&c->ident, &e->local, e->local_port, &e->remote, e->remote_port) == 0;
	while (c->local_host.open || c->remote_host.open || c->identing)
		wait_and_step(c, d, ident_deadline_ms);
	dns_close(d);
}

static const char *host_text(const struct host *h)
{
	if (h->result == DNS_NONE)
		return NULL;
	return h->result == DNS_FOUND ? h->name : soft_error;
}

/* Whoever says PROTO=TCP has set the rest, too: tcpserver, or another tcp-env. */
static bool is_set_already(void)
{
	const char *proto = getenv("PROTO");

	return proto != NULL && strcmp(proto, "TCP") == 0;
}

int main(int argc, char **argv)
{
	struct connection c = { 0 };
	struct env env;
	const char **files;
	bool ask_ident = true;
	unsigned long timeout_s = IDENT_TIMEOUT_S;

	err_option(argc, argv, help);
	opterr = 0;
	for (int option; (option = getopt(argc, argv, "+rRt:")) != -1;)
		if (option == 'r' || option == 'R')
			ask_ident = option == 'r';
		else if (option == 't' && num_parse(optarg, 0, TIMEOUT_MAX_S, &timeout_s) != NULL)
			give_up();
	if (optind >= argc || env_init(&env, environ, VARIABLES, POOL) == -1)
		give_up();
	if (!is_set_already()) {
		if (ends_of(0, NULL, &c.ends) == -1)
			give_up();
		look_up(&c, ask_ident, (int)timeout_s * 1000);
		if (ends_export(&c.ends, host_text(&c.local_host), host_text(&c.remote_host),
			    c.has_info ? c.ident.answer.text : NULL, &env) == -1)
			give_up();
	}
	signal(SIGPIPE, SIG_DFL);
	files = spawn_search(argv[optind], getenv("PATH"));
	if (files != NULL)
		spawn_exec(files, argv + optind, env.vector);
	give_up();
}
