/* proxy-env - take the PROXY header off a connection, tell the program who is behind the proxy, and run it.
 *
 * Between a server whose rules say PROXY="1" of the proxy's address and the program that it runs. */

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/num.h"
#include "base/spawn.h"
#include "net/ends.h"
#include "net/proxy.h"
#include "tcp-env/gate.h"
#include "net/inquiry.h"

static const char help[] =
	"proxy-env: usage: proxy-env [ -X ] [ -t timeout ] [ -x cdb ] program [ arg ... ]\n"
	"Reads the PROXY header (version 1 or 2) that a client with PROXY=1 in its environment must send,\n"
	"sets TCPREMOTEIP and its family from it and runs program. From others a header is refused.\n"
	"  -t timeout  seconds in which the header must have come, 5\n"
	"  -x cdb      follow the rules that tcprules compiled for the client behind the proxy\n"
	"  -X          with -x: allow everybody when the file does not exist\n"
	"  --unsafe-env  let rules set LD_* and other variables that change programs\n"
	"  --help      print this and exit\n"
	"  --version   print the version and exit\n";

enum { TIMEOUT_S = 5, TIMEOUT_MAX_S = 86400, DNS_TIMEOUT_MS = 5 * 1000 };

struct options {
	unsigned long timeout_s;
	struct gate gate;
};

static struct options options_of(int argc, char **argv)
{
	static const struct option longs[] = { GATE_LONG, { 0 } };
	struct options o = { .timeout_s = TIMEOUT_S };
	const char *fault;

	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "+t:" GATE_LETTERS, longs, NULL)) != -1;)
		switch (option) {
		case 't':
			fault = num_parse(optarg, 1, TIMEOUT_MAX_S, &o.timeout_s);
			if (fault != NULL)
				die(EXIT_PERMANENT, "-t: \"%s\" %s (1 to %d)", optarg, fault,
					TIMEOUT_MAX_S);
			break;
		default:
			if (!gate_option(&o.gate, option, optarg))
				die_usage(help);
		}
	if (optind >= argc)
		die_usage(help);
	return o;
}

/* For what we say: the address of the proxy, or of a client that is none. */
static const char *sender(void)
{
	const char *ip = getenv("TCPREMOTEIP");

	return ip == NULL ? "this client" : ip;
}

static bool is_socket(int fd)
{
	int type;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/* A client that is no proxy would pass for anybody. */
static void refuse_header(void)
{
	struct proxy_header h;

	switch (is_socket(0) ? proxy_read(0, &h) : PROXY_NONE) {
	case PROXY_DONE:
	case PROXY_BAD:
		die(EXIT_PERMANENT, "%s sent a PROXY header, but its rule does not say PROXY=\"1\"",
			sender());
	case PROXY_MORE:
		proxy_stop(0); /* nothing yet, or the beginning of something: the program will see */
		break;
	case PROXY_NONE:
		break;
	}
}

static void read_header(unsigned long timeout_s, struct proxy_header *h)
{
	const int64_t deadline_ms = clock_ms() + (int64_t)timeout_s * 1000;
	struct pollfd p = { .fd = 0, .events = POLLIN };
	enum proxy answer;

	if (!is_socket(0))
		die(EXIT_PERMANENT, "descriptor 0 is no socket: a header cannot be read");
	while ((answer = proxy_read(0, h)) == PROXY_MORE) {
		if (clock_left_ms(deadline_ms) == 0)
			die(EXIT_TEMPORARY, "no PROXY header from %s within %lu seconds", sender(),
				timeout_s);
		if (poll(&p, 1, clock_left_ms(deadline_ms)) == -1 && errno != EINTR)
			die(EXIT_TEMPORARY, "unable to wait for a header: %s", errtext(errno));
	}
	if (answer == PROXY_NONE)
		die(EXIT_PERMANENT, "no PROXY header from %s", sender());
	if (answer == PROXY_BAD)
		die(EXIT_PERMANENT, "bad PROXY header from %s: %s", sender(), h->fault);
}

static _Noreturn void out_of_memory(void)
{
	die(EXIT_TEMPORARY, "out of memory");
}

static void obey(const struct options *o, const struct ends *e, const struct found *f, struct env *env)
{
	struct obeyed why;
	char ip[ADDR_TEXT];

	addr_format(&e->remote, ip);
	switch (gate_pass(&o->gate, &e->remote, f, env, &why)) {
	case OBEY_ALLOW:
		return;
	case OBEY_DENY:
		die(EXIT_PERMANENT, "%s through %s is denied by %s", ip, sender(), o->gate.rules);
	case OBEY_ERROR:
		break;
	}
	if (why.unsafe != NULL)
		die(EXIT_TEMPORARY, "%s sets %.*s for %s: not without --unsafe-env", o->gate.rules,
			why.unsafe_len, why.unsafe, ip);
	die(EXIT_TEMPORARY, "unable to read %s: %s", o->gate.rules, errtext(errno));
}

/* Names belonged to the proxy. The true client's is asked for only where a rule may hang on it. */
static void introduce(const struct options *o, const struct ends *e, struct env *env)
{
	const struct inquiry what = {
		.remote_host = o->gate.rules != NULL,
		.confirm = o->gate.rules != NULL,
		.dns_timeout_ms = DNS_TIMEOUT_MS,
	};
	struct found f = { 0 };
	const char *host;

	if (inquire(&what, e, &f) == -1)
		die(EXIT_TEMPORARY, "unable to look up names: %s", errtext(errno));
	host = f.remote_host.name[0] == '\0' ? NULL : f.remote_host.name;
	if (ends_export(e, NULL, host, NULL, env) == -1)
		out_of_memory();
	obey(o, e, &f, env);
}

int main(int argc, char **argv)
{
	const char *const proxy = getenv("PROXY");
	struct options o;
	struct proxy_header h;
	struct env env;
	const char **files;

	err_name("proxy-env");
	err_option(argc, argv, help);
	o = options_of(argc, argv);
	if (env_init(&env, environ) == -1)
		out_of_memory();
	if (proxy == NULL || strcmp(proxy, "1") != 0) {
		refuse_header();
	} else {
		read_header(o.timeout_s, &h);
		env_unset(&env, "PROXY"); /* it is off: another proxy-env behind us must not wait for it */
		if (!h.own)
			introduce(&o, &h.ends, &env);
	}
	signal(SIGPIPE, SIG_DFL);
	files = spawn_search(argv[optind], getenv("PATH"));
	if (files == NULL)
		out_of_memory();
	spawn_exec(files, argv + optind, env.vector);
	die(EXIT_TEMPORARY, "unable to run %s: %s", argv[optind], errtext(errno));
}
