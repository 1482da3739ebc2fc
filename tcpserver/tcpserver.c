/* tcpserver - accept TCP connections and run a program for each. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/house.h"
#include "base/num.h"
#include "base/str.h"
#include "net/listen.h"
#include "tcpserver/config.h"
#include "tcpserver/serve.h"

#define USAGE                                                                                            \
	"tcpserver: usage: tcpserver [ -1UXpPhHrRoOdDqQv ] [ -c limit ] [ -x rules.cdb ] [ -B banner ] " \
	"[ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ] [ -t timeout ] host port program\n"

static const char help[] = USAGE "Accepts TCP connections at host and port and runs program for each.\n"
				 "  -1            print the port on descriptor 1 when ready\n"
				 "  -b backlog    clients that may wait in the kernel, 1024\n"
				 "  -B banner     send this to each client at once\n"
				 "  -c limit      at most this many clients at once, 40\n"
				 "  -d            delay small packets (default)\n"
				 "  -D            never delay them\n"
				 "  -g gid        change to this group, a number or a name\n"
				 "  -h            look up the client's name (default)\n"
				 "  -H            do not look it up\n"
				 "  -l localname  use this as our name, look it up for nobody\n"
				 "  -o            leave IP options alone\n"
				 "  -O            clear IP options (default)\n"
				 "  -p            drop the client's name unless its addresses confirm it\n"
				 "  -P            keep it (default)\n"
				 "  -q            print nothing\n"
				 "  -Q            print errors (default)\n"
				 "  -r            ask the client's host for its user by ident (default)\n"
				 "  -R            do not ask\n"
				 "  -t timeout    seconds for all look-ups of one client together, 5\n"
				 "  -u uid        change to this user, a number or a name\n"
				 "  -U            change to the user $UID and the group $GID\n"
				 "  -v            print errors and one line for each event\n"
				 "  -x rules.cdb  obey these rules, made by tcprules\n"
				 "  -X            allow everybody when rules.cdb does not exist\n"
				 "  --help        print this and exit\n"
				 "  --version     print the version and exit\n";

enum { OPTION_HELP = 256, OPTION_VERSION };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

enum { BACKLOG = 1024, BACKLOG_MAX = 1000000, LIMIT = 40, LIMIT_MAX = 1000000 };
enum { TIMEOUT_S = 5, TIMEOUT_MAX_S = 86400 };

static _Noreturn void print_and_exit(const char *text)
{
	_exit(fs_write_all(1, text, strlen(text)) == 0 ? 0 : EXIT_TEMPORARY);
}

static unsigned long number(char option, const char *text, unsigned long min, unsigned long max)
{
	unsigned long n = 0;
	const char *wrong = num_parse(text, min, max, &n);

	if (wrong != NULL)
		die(EXIT_PERMANENT, "-%c: \"%s\" %s (%lu to %lu)", option, text, wrong, min, max);
	return n;
}

/* 0 stays what we are, as ucspi-tcp has it: only root could become root. */
static void set_user(struct config *c, const char *option, const char *text)
{
	const char *wrong = user_find(text, &c->user.uid);

	if (wrong != NULL)
		die(EXIT_PERMANENT, "%s: \"%s\" %s", option, text, wrong);
	c->user.set_uid = c->user.uid != 0;
}

static void set_group(struct config *c, const char *option, const char *text)
{
	const char *wrong = user_find_group(text, &c->user.gid);

	if (wrong != NULL)
		die(EXIT_PERMANENT, "%s: \"%s\" %s", option, text, wrong);
	c->user.set_gid = c->user.gid != 0;
}

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		die(EXIT_PERMANENT, "-U: %s is not set: to stay what we are would be a surprise", name);
	return value;
}

static _Noreturn void refuse_option(const char *what, int option)
{
	char memory[80];
	struct str line;

	str_init(&line, memory, sizeof memory);
	if (option != 0) {
		str_puts(&line, "tcpserver: ");
		str_puts(&line, what);
		str_puts(&line, " -- ");
		str_putc(&line, (char)option);
		str_putc(&line, '\n');
	}
	if (fs_write_all(2, line.s, line.len) == -1)
		_exit(EXIT_PERMANENT);
	die_usage(USAGE);
}

/* clang-format off */
static void set_option(struct config *c, int option, const char *value)
{
	switch (option) {
	case '1': c->announce = true; break;
	case 'b': c->backlog = (int)number('b', value, 0, BACKLOG_MAX); break;
	case 'B': c->banner = value; break;
	case 'c': c->limit = number('c', value, 1, LIMIT_MAX); break;
	case 'd': c->no_delay = false; break;
	case 'D': c->no_delay = true; break;
	case 'g': set_group(c, "-g", value); break;
	case 'h': c->remote_name = true; break;
	case 'H': c->remote_name = false; break;
	case 'l': c->local_name = value; break;
	case 'o': c->kill_options = false; break;
	case 'O': c->kill_options = true; break;
	case 'p': c->paranoid = true; break;
	case 'P': c->paranoid = false; break;
	case 'q': c->verbosity = QUIET; break;
	case 'Q': c->verbosity = ERRORS; break;
	case 'r': c->remote_info = true; break;
	case 'R': c->remote_info = false; break;
	case 't': c->timeout_ms = 1000 * (int)number('t', value, 0, TIMEOUT_MAX_S); break;
	case 'u': set_user(c, "-u", value); break;
	case 'U':
		set_user(c, "-U: UID", from_environment("UID"));
		set_group(c, "-U: GID", from_environment("GID"));
		break;
	case 'v': c->verbosity = STATUS; break;
	case 'x': c->rules = value; break;
	case 'X': c->rules_may_miss = true; break;
	case OPTION_HELP: print_and_exit(help);
	case OPTION_VERSION: print_and_exit(house_version);
	case ':': refuse_option("option requires an argument", optopt);
	default: refuse_option("illegal option", optopt);
	}
}
/* clang-format on */

static void find_host(struct config *c, const char *text)
{
	switch (listen_host(text, &c->host)) {
	case LISTEN_HOST_OK:
		break;
	case LISTEN_HOST_NONE:
		die(EXIT_TEMPORARY, "no IP address for %s", text);
	case LISTEN_HOST_TEMPORARY:
		die(EXIT_TEMPORARY, "temporarily unable to figure out IP address for %s: %s", text,
			errtext(EAGAIN));
	}
}

static void find_port(struct config *c, const char *text)
{
	bool unknown;
	const char *wrong = listen_port(text, &c->port, &unknown);

	if (wrong != NULL && unknown)
		die(EXIT_TEMPORARY, "unable to figure out port number for %s", text);
	if (wrong != NULL)
		die(EXIT_PERMANENT, "port: \"%s\" %s (0 to 65535)", text, wrong);
}

static struct config config_of(int argc, char **argv)
{
	struct config c = {
		.verbosity = ERRORS,
		.backlog = BACKLOG,
		.limit = LIMIT,
		.banner = "",
		.remote_name = true,
		.remote_info = true,
		.timeout_ms = 1000 * TIMEOUT_S,
		.kill_options = true,
	};
	int option;

	/* +: what follows the host is not ours; the first colon: we say ourselves what is missing */
	while ((option = getopt_long(
			argc, argv, "+:1b:B:c:dDg:hHl:oOpPqQrRt:u:UvXx:", long_options, NULL)) != -1)
		set_option(&c, option, optarg);
	argv += optind;
	argc -= optind;
	err_silence(c.verbosity == QUIET);
	if (argc < 2)
		die_usage(USAGE);
	find_port(&c, argv[1]);
	if (argc < 3)
		die_usage(USAGE);
	c.program = argv + 2;
	find_host(&c, argv[0]);
	return c;
}

static int open_listener(struct config *c)
{
	struct sockaddr_storage at;
	socklen_t size = sizeof at;
	const char *step;
	const int fd = listen_open(&c->host, c->port, c->backlog, &step);

	if (fd == -1)
		die(EXIT_TEMPORARY, "unable to %s: %s", step, errtext(errno));
	if (getsockname(fd, (struct sockaddr *)&at, &size) == -1 ||
		addr_from_sockaddr(&at, &c->host, &c->port) == -1) /* port 0 has become one */
		die(EXIT_TEMPORARY, "unable to get local address: %s", errtext(errno));
	return fd;
}

static void drop_privileges(const struct config *c)
{
	const struct user group = { .gid = c->user.gid, .set_gid = c->user.set_gid };
	const struct user user = { .uid = c->user.uid, .set_uid = c->user.set_uid };

	if (user_drop(&group) == -1)
		die(EXIT_TEMPORARY, "unable to set gid: %s", errtext(errno));
	if (user_drop(&user) == -1)
		die(EXIT_TEMPORARY, "unable to set uid: %s", errtext(errno));
}

static void announce(const struct config *c)
{
	char memory[16];
	struct str line;

	str_init(&line, memory, sizeof memory);
	str_putu(&line, c->port);
	str_putc(&line, '\n');
	if (c->announce && fs_write_all(1, line.s, line.len) == -1)
		warn("unable to print the port: %s", errtext(errno));
}

/* Whoever reads our output sees its end. /dev/null keeps the numbers 0 and 1 taken. */
static void close_stdio(void)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	close(null);
}

/* Ignored signals that we inherited are not our children's. Those that serve reads from a descriptor are
 * blocked now: one that comes before it does is not lost, and does not kill. */
static void reset_signals(void)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, NULL);
	signal(SIGCHLD, SIG_DFL); /* ignored, it would make every wait fail */
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct config c;
	int listener, code;

	err_name("tcpserver");
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	c = config_of(argc, argv);
	reset_signals();
	listener = open_listener(&c);
	drop_privileges(&c);
	announce(&c);
	close_stdio();
	code = serve(listener, &c);
	if (code == -1)
		die(EXIT_TEMPORARY, "unable to serve: %s", errtext(errno));
	_exit(code); /* children live on; nothing of ours is left to be written */
}
