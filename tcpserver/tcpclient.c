/* tcpclient - connect to a TCP server, then run a program with the connection on 6 and 7. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/num.h"
#include "base/option.h"
#include "base/spawn.h"
#include "base/str.h"
#include "net/dial.h"
#include "net/ends.h"
#include "net/inquiry.h"
#include "net/listen.h"

#define USAGE                                                                         \
	"tcpclient: usage: tcpclient [ -hHrRdDqQv ] [ -i localip ] [ -p localport ] " \
	"[ -T timeoutconn ] [ -l localname ] [ -t timeoutinfo ] host port program\n"

static const char help[] =
	USAGE "Connects to host and port and runs program, with the connection on descriptors 6 and 7.\n"
	      "  -d               delay small packets (default)\n"
	      "  -D               never delay them\n"
	      "  -h               look up the server's name (default)\n"
	      "  -H               do not look it up\n"
	      "  -i localip       connect from this address\n"
	      "  -l localname     use this as our name, look it up for nobody\n"
	      "  -p localport     connect from this port\n"
	      "  -q               print nothing\n"
	      "  -Q               print errors (default)\n"
	      "  -r               ask the server's host for its user by ident (default)\n"
	      "  -R               do not ask\n"
	      "  -t timeoutinfo   seconds for all look-ups of names and of the user together, 26\n"
	      "  -T timeoutconn   x+y: seconds for each address in a first and in a second round, 2+58\n"
	      "  -v               print errors and who we are connected to\n"
	      "  --help           print this and exit\n"
	      "  --version        print the version and exit\n";

enum { IN_FD = 6, OUT_FD = 7 };
enum { ROUNDS = 2, TIMEOUT_MAX_S = 86400, NAME_TIMEOUT_MS = 60 * 1000 };
enum verbosity { QUIET, ERRORS, STATUS };

struct options {
	enum verbosity verbosity;
	bool no_delay;
	bool has_local;
	struct addr local;
	unsigned local_port;
	const char *local_name; /* NULL: look it up */
	struct inquiry ask;
	unsigned long round_s[ROUNDS];
	const char *host;
	unsigned port;
	char **program;
};

/* ---- options -------------------------------------------------------------------------------------- */

static unsigned long number(char option, const char *text, size_t n, unsigned long max)
{
	unsigned long value = 0;
	const char *wrong = num_parse_n(text, n, 0, max, &value);

	if (wrong != NULL)
		die(EXIT_PERMANENT, "-%c: \"%.*s\" %s (0 to %lu)", option, (int)n, text, wrong, max);
	return value;
}

/* "x+y", or "x" for one round only. */
static void set_rounds(struct options *o, const char *text)
{
	const size_t n = strcspn(text, "+");

	o->round_s[0] = number('T', text, n, TIMEOUT_MAX_S);
	o->round_s[1] = 0;
	if (text[n] == '+')
		o->round_s[1] = number('T', text + n + 1, strlen(text + n + 1), TIMEOUT_MAX_S);
}

/* One for all look-ups. */
static void set_timeout(struct options *o, int ms)
{
	o->ask.dns_timeout_ms = o->ask.ident_timeout_ms = ms;
}

/* clang-format off */
static void set_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case 'd': o->no_delay = false; break;
	case 'D': o->no_delay = true; break;
	case 'h': o->ask.remote_host = true; break;
	case 'H': o->ask.remote_host = false; break;
	case 'i':
		if (addr_parse(value, &o->local) != NULL)
			die_usage(USAGE);
		o->has_local = true;
		break;
	case 'l': o->local_name = value; break;
	case 'p': o->local_port = (unsigned)number('p', value, strlen(value), 65535); break;
	case 'q': o->verbosity = QUIET; break;
	case 'Q': o->verbosity = ERRORS; break;
	case 'r': o->ask.ident = true; break;
	case 'R': o->ask.ident = false; break;
	case 't': set_timeout(o, 1000 * (int)number('t', value, strlen(value), TIMEOUT_MAX_S)); break;
	case 'T': set_rounds(o, value); break;
	case 'v': o->verbosity = STATUS; break;
	default: option_refuse("tcpclient", option, optopt, USAGE);
	}
}
/* clang-format on */

static void set_port(struct options *o, const char *text)
{
	bool unknown;
	const char *wrong = listen_port(text, &o->port, &unknown);

	if (wrong != NULL && unknown)
		die(EXIT_TEMPORARY, "unable to figure out port number for %s", text);
	if (wrong != NULL)
		die(EXIT_PERMANENT, "port: \"%s\" %s (0 to 65535)", text, wrong);
}

static struct options options_of(int argc, char **argv)
{
	static const struct option no_long[] = { { 0 } };
	struct options o = {
		.verbosity = ERRORS,
		.ask = { .remote_host = true, .ident = true },
		.round_s = { 2, 58 },
	};

	set_timeout(&o, 26 * 1000);
	/* +: what follows the host is not ours; the colon: we say ourselves what is missing */
	for (int option; (option = getopt_long(argc, argv, "+:dDhHi:l:p:qQrRt:T:v", no_long, NULL)) != -1;)
		set_option(&o, option, optarg);
	err_silence(o.verbosity == QUIET);
	if (argc - optind < 2)
		die_usage(USAGE);
	set_port(&o, argv[optind + 1]);
	if (argc - optind < 3)
		die_usage(USAGE);
	o.host = argv[optind];
	o.program = argv + optind + 2;
	o.ask.local_host = o.local_name == NULL;
	return o;
}

/* ---- the connection ------------------------------------------------------------------------------- */

/* "tcpclient: connected to 127.0.0.1 port 25", ": why" behind it if there is a reason. */
static void say(const struct options *o, enum verbosity level, const char *what, const struct addr *a,
	unsigned port, const char *why)
{
	char memory[256], address[ADDR_TEXT];
	struct str line;

	if (o->verbosity < level)
		return;
	addr_format(a, address);
	str_init(&line, memory, sizeof memory);
	str_puts(&line, "tcpclient: ");
	str_puts(&line, what);
	str_puts(&line, address);
	str_puts(&line, " port ");
	str_putu(&line, port);
	str_puts(&line, why == NULL ? "" : ": ");
	str_puts(&line, why == NULL ? "" : why);
	str_putc(&line, '\n');
	if (fs_write_all(2, line.s, line.len) == -1)
		return; /* nobody left to tell */
}

static void find_host(const struct options *o, struct dial_list *list)
{
	switch (dial_host(o->host, NAME_TIMEOUT_MS, list)) {
	case DIAL_HOST_OK:
		return;
	case DIAL_HOST_NONE:
		die(EXIT_TEMPORARY, "no IP address for %s", o->host);
	case DIAL_HOST_TEMPORARY:
		die(EXIT_TEMPORARY, "temporarily unable to figure out IP address for %s: %s", o->host,
			errtext(EAGAIN));
	}
}

/* From an IPv4 address only IPv4 addresses can be reached, and the same for IPv6. */
static void keep_family(const struct options *o, struct dial_list *list)
{
	size_t kept = 0;

	if (!o->has_local)
		return;
	for (size_t i = 0; i < list->count; i++)
		if (addr_is_v4(&list->addr[i]) == addr_is_v4(&o->local))
			list->addr[kept++] = list->addr[i];
	list->count = kept;
	if (kept == 0)
		die(EXIT_TEMPORARY, "unable to bind socket: %s", errtext(EAFNOSUPPORT));
}

static int try(const struct options *o, const struct addr *to, unsigned long timeout_s)
{
	const char *step;
	const int fd = dial(
		to, o->port, o->has_local ? &o->local : NULL, o->local_port, (int)timeout_s * 1000, &step);

	if (fd == -1 && strcmp(step, "connect") != 0)
		die(EXIT_TEMPORARY, "unable to %s: %s", step, errtext(errno));
	return fd;
}

/* An address that timed out is tried again in the second round, and what came of that is what is said. */
static int connect_any(const struct options *o)
{
	struct dial_list list;
	unsigned long round_s[ROUNDS] = { o->round_s[0], o->round_s[1] };

	find_host(o, &list);
	keep_family(o, &list);
	if (list.count == 1) { /* nothing to go on to: all the time in one go */
		round_s[0] += round_s[1];
		round_s[1] = 0;
	}
	for (int round = 0; round < ROUNDS && list.count > 0; round++) {
		size_t again = 0;

		for (size_t i = 0; i < list.count; i++) {
			const int fd = try(o, &list.addr[i], round_s[round]);

			if (fd != -1)
				return fd;
			if (errno == ETIMEDOUT && round + 1 < ROUNDS && round_s[round + 1] > 0)
				list.addr[again++] = list.addr[i];
			else
				say(o, ERRORS, "unable to connect to ", &list.addr[i], o->port,
					errtext(errno));
		}
		list.count = again;
	}
	_exit(EXIT_TEMPORARY);
}

static void find_ends(int fd, struct ends *e)
{
	struct sockaddr_storage at;
	socklen_t size = sizeof at;

	if (getpeername(fd, (struct sockaddr *)&at, &size) == -1)
		die(EXIT_TEMPORARY, "unable to get remote address: %s", errtext(errno));
	if (ends_of(fd, &at, e) == -1)
		die(EXIT_TEMPORARY, "unable to get local address: %s", errtext(errno));
}

/* ---- the program ---------------------------------------------------------------------------------- */

static const char *or_null(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

static void export(const struct options *o, const struct ends *e, struct env *env)
{
	const char *local_name = o->local_name;
	struct found found = { 0 };

	if (inquire(&o->ask, e, &found) == -1)
		die(EXIT_TEMPORARY, "unable to look up names: %s", errtext(errno));
	if (local_name == NULL)
		local_name = or_null(found.local_host.name);
	if (env_init(env, environ) == -1 || ends_export(e, local_name, or_null(found.remote_host.name),
						    found.has_info ? found.info : NULL, env) == -1)
		die(EXIT_TEMPORARY, "unable to set up environment: %s", errtext(errno));
}

/* Out of the way first: it may be 6 or 7 already. */
static void place(int fd)
{
	fd = fcntl(fd, F_DUPFD_CLOEXEC, OUT_FD + 1);
	if (fd == -1 || dup2(fd, IN_FD) == -1)
		die(EXIT_TEMPORARY, "unable to set up descriptor 6: %s", errtext(errno));
	if (dup2(fd, OUT_FD) == -1)
		die(EXIT_TEMPORARY, "unable to set up descriptor 7: %s", errtext(errno));
}

static _Noreturn void run(char **argv, char **envp)
{
	const char **files = spawn_search(argv[0], getenv("PATH"));

	signal(SIGPIPE, SIG_DFL);
	if (files != NULL)
		spawn_exec(files, argv, envp);
	die(EXIT_TEMPORARY, "unable to run %s: %s", argv[0], errtext(errno));
}

int main(int argc, char **argv)
{
	struct options o;
	struct ends ends;
	struct env env;
	const int on = 1;
	int fd;

	err_name("tcpclient");
	err_option(argc, argv, help);
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	signal(SIGPIPE, SIG_IGN);
	o = options_of(argc, argv);
	fd = connect_any(&o);
	if (o.no_delay)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* slower without, not wrong */
	find_ends(fd, &ends);
	say(&o, STATUS, "connected to ", &ends.remote, ends.remote_port, NULL);
	export(&o, &ends, &env);
	place(fd);
	run(o.program, env.vector);
}
