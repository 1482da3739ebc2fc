/* tcp-env - set the variables of a TCP connection on descriptor 0, then run a program (inetd, xinetd).
 *
 * Says nothing and exits 111 whatever goes wrong: under inetd descriptor 2 is the client. */

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/num.h"
#include "base/spawn.h"
#include "net/ends.h"
#include "net/ucspi.h"
#include "tcp-env/gate.h"
#include "net/inquiry.h"

static const char help[] =
	"tcp-env: usage: tcp-env [ -rRX ] [ -t timeout ] [ -x cdb ] program [ arg ... ]\n"
	"Sets PROTO, TCPLOCAL* and TCPREMOTE* for the connection on descriptor 0 and runs program.\n"
	"  -r          ask the client's host for its user by ident (default)\n"
	"  -R          do not ask\n"
	"  -t timeout  seconds to wait for that answer, 30\n"
	"  -x cdb      follow the rules that tcprules compiled: deny, or set variables\n"
	"  -X          with -x: allow everybody when the file does not exist\n"
	"  --unsafe-env  let rules set LD_* and other variables that change programs\n"
	"  --help      print this and exit\n"
	"  --version   print the version and exit\n";

enum { IDENT_TIMEOUT_S = 30, TIMEOUT_MAX_S = 86400, DNS_TIMEOUT_MS = 30 * 1000 };

/* A name that cannot be had today, as qmail writes it. */
static const char *const soft_error = "softdnserror";

static _Noreturn void give_up(void)
{
	_exit(EXIT_TEMPORARY);
}

struct options {
	bool ident;
	unsigned long timeout_s;
	struct gate gate;
};

/* Leaves optind at the program. Options that we do not know are ignored, as ever. */
static struct options options_of(int argc, char **argv)
{
	static const struct option longs[] = { GATE_LONG, { 0 } };
	struct options o = { .ident = true, .timeout_s = IDENT_TIMEOUT_S };

	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "+rRt:" GATE_LETTERS, longs, NULL)) != -1;)
		switch (option) {
		case 'r':
		case 'R':
			o.ident = option == 'r';
			break;
		case 't':
			if (num_parse(optarg, 0, TIMEOUT_MAX_S, &o.timeout_s) != NULL)
				give_up();
			break;
		default: /* what is none is ignored, as ever */
			(void)gate_option(&o.gate, option, optarg);
			break;
		}
	if (optind >= argc)
		give_up();
	return o;
}

static const char *host_text(const struct host *h)
{
	if (h->result == DNS_NONE)
		return NULL;
	return h->result == DNS_FOUND ? h->name : soft_error;
}

static void find_out(const struct options *o, struct ends *e, struct found *f, struct env *env)
{
	const struct inquiry what = {
		.local_host = true,
		.remote_host = true,
		.confirm = o->gate.rules != NULL,
		.ident = o->ident,
		.dns_timeout_ms = DNS_TIMEOUT_MS,
		.ident_timeout_ms = (int)o->timeout_s * 1000,
	};

	if (ends_of(0, NULL, e) == -1 || inquire(&what, e, f) == -1)
		give_up();
	if (ends_export(e, host_text(&f->local_host), host_text(&f->remote_host),
		    f->has_info ? f->info : NULL, env) == -1)
		give_up();
}

/* Whoever says PROTO=TCP has set the rest, too: tcpserver, or another tcp-env. */
static bool is_set_already(void)
{
	const char *proto = getenv("PROTO");

	return proto != NULL && strcmp(proto, "TCP") == 0;
}

static void keep(char *to, size_t size, const char *text)
{
	if (strlen(text) >= size)
		give_up();
	memcpy(to, text, strlen(text) + 1);
}

/* For the rules: who the client is, in the words of whoever set it. Whether its name is confirmed nobody has
 * told us. */
static void believe(struct ends *e, struct found *f)
{
	const struct inquiry what = { .confirm = true, .dns_timeout_ms = DNS_TIMEOUT_MS };
	const char *values[UCSPI_VARS];

	ucspi_read(values);
	if (values[UCSPI_REMOTEIP] == NULL || addr_parse(values[UCSPI_REMOTEIP], &e->remote) != NULL)
		give_up();
	if (values[UCSPI_REMOTEHOST] != NULL)
		keep(f->remote_host.name, sizeof f->remote_host.name, values[UCSPI_REMOTEHOST]);
	f->has_info = values[UCSPI_REMOTEINFO] != NULL;
	if (f->has_info)
		keep(f->info, sizeof f->info, values[UCSPI_REMOTEINFO]);
	if (inquire(&what, e, f) == -1)
		give_up();
}

static void obey(const struct options *o, const struct ends *e, const struct found *f, struct env *env)
{
	struct obeyed why;

	switch (gate_pass(&o->gate, &e->remote, f, env, &why)) {
	case OBEY_ALLOW:
		return;
	case OBEY_DENY:
		_exit(EXIT_PERMANENT);
	case OBEY_ERROR:
		break;
	}
	give_up();
}

int main(int argc, char **argv)
{
	struct options o;
	struct ends ends = { 0 };
	struct found found = { 0 };
	struct env env;
	const char **files;

	err_option(argc, argv, help);
	o = options_of(argc, argv);
	if (env_init(&env, environ) == -1)
		give_up();
	if (!is_set_already())
		find_out(&o, &ends, &found, &env);
	else if (o.gate.rules != NULL)
		believe(&ends, &found);
	obey(&o, &ends, &found, &env);
	signal(SIGPIPE, SIG_DFL);
	files = spawn_search(argv[optind], getenv("PATH"));
	if (files != NULL)
		spawn_exec(files, argv + optind, env.vector);
	give_up();
}
