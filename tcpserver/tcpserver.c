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
#include "base/guard.h"
#include "base/house.h"
#include "base/num.h"
#include "base/option.h"
#include "net/resident.h"
#include "tcpserver/config.h"
#include "tcpserver/serve.h"

#define USAGE                                                                                            \
	"tcpserver: usage: tcpserver [ -1UXpPhHrRoOdDqQv ] [ -c limit ] [ -x rules.cdb ] [ -B banner ] " \
	"[ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ] [ -t timeout ] host port program\n"

static const char help[] =
	USAGE "Accepts TCP connections at host and port and runs program for each.\n"
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
	      "  -C n          at most this many clients at once from one address (IPv6: /64)\n"
	      "  --drain seconds\n"
	      "                on SIGTERM wait so long for the programs that run\n"
	      "  --listen host port, --listen unix:path, --listen fd:n\n"
	      "                one more socket\n"
	      "  --log form    classic or json\n"
	      "  --net b:n,b:n at most n clients at once from a network of b bits (IPv4,IPv6)\n"
	      "  --penalty code:seconds,...\n"
	      "                an address whose program ends so waits so long (signal:seconds)\n"
	      "  --proxy       PROXY headers from addresses whose rule sets PROXY=\"1\"\n"
	      "  --rate n/seconds\n"
	      "                at most n new clients in so long from one address\n"
	      "  --ready-fd n  write a newline there when ready\n"
	      "  --resident n[:m]\n"
	      "                programs that can stay serve m connections, 100; n may be idle\n"
	      "  --tls dir     certificates and keys: programs can start TLS\n"
	      "  --tls-client-certs\n"
	      "                ask clients for a certificate\n"
	      "  --tls-mode start|wrap\n"
	      "                when the program says so (default), or from the first byte\n"
	      "  --tls-user name\n"
	      "                who carries TLS sessions\n"
	      "  --unsafe-env  obey rules that set LD_PRELOAD and its like\n"
	      "  --help        print this and exit\n"
	      "  --version     print the version and exit\n"
	      "host may be any (IPv4 and IPv6), or unix:path or fd:n without a port.\n";

enum {
	OPTION_HELP = 256,
	OPTION_VERSION,
	OPTION_DRAIN,
	OPTION_LISTEN,
	OPTION_LOG,
	OPTION_NET,
	OPTION_PENALTY,
	OPTION_PROXY,
	OPTION_RATE,
	OPTION_READY_FD,
	OPTION_RESIDENT,
	OPTION_TLS,
	OPTION_TLS_CLIENT_CERTS,
	OPTION_TLS_MODE,
	OPTION_TLS_USER,
	OPTION_UNSAFE_ENV
};

static const struct option long_options[] = {
	{ "drain", required_argument, NULL, OPTION_DRAIN },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "log", required_argument, NULL, OPTION_LOG },
	{ "net", required_argument, NULL, OPTION_NET },
	{ "penalty", required_argument, NULL, OPTION_PENALTY },
	{ "proxy", no_argument, NULL, OPTION_PROXY },
	{ "rate", required_argument, NULL, OPTION_RATE },
	{ "ready-fd", required_argument, NULL, OPTION_READY_FD },
	{ "resident", required_argument, NULL, OPTION_RESIDENT },
	{ "tls", required_argument, NULL, OPTION_TLS },
	{ "tls-client-certs", no_argument, NULL, OPTION_TLS_CLIENT_CERTS },
	{ "tls-mode", required_argument, NULL, OPTION_TLS_MODE },
	{ "tls-user", required_argument, NULL, OPTION_TLS_USER },
	{ "unsafe-env", no_argument, NULL, OPTION_UNSAFE_ENV },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

enum { BACKLOG = 1024, BACKLOG_MAX = 1000000, LIMIT = 40, LIMIT_MAX = 1000000 };
enum { TIMEOUT_S = 5, TIMEOUT_MAX_S = 86400, FD_MAX = 1000000 };
enum { NET4_BITS = 24, NET6_BITS = 48 };

static void check(const char *option, const char *text, const char *wrong)
{
	if (wrong != NULL)
		die(EXIT_PERMANENT, "%s: \"%s\" %s", option, text, wrong);
}

static void add_place(struct config *c, const char *host, const char *port)
{
	if (c->place_count == CONFIG_PLACES)
		die(EXIT_PERMANENT, "--listen: more than %d sockets", CONFIG_PLACES);
	c->places[c->place_count++] = (struct place){ .host = host, .port = port };
}

static bool needs_port(const char *host)
{
	return strncmp(host, "unix:", 5) != 0 && strncmp(host, "fd:", 3) != 0;
}

/* The port is the word behind, which getopt_long(3) does not know of. */
static void add_listen(struct config *c, const char *host, char **argv)
{
	const char *port = NULL;

	if (needs_port(host)) {
		port = argv[optind];
		if (port == NULL)
			die(EXIT_PERMANENT, "--listen: %s needs a port", host);
		optind++;
	}
	add_place(c, host, port);
}

static void set_form(struct config *c, const char *text)
{
	if (strcmp(text, "json") == 0)
		c->form = LOGLINE_JSON;
	else if (strcmp(text, "classic") == 0)
		c->form = LOGLINE_CLASSIC;
	else
		check("--log", text, "is no form: classic or json");
}

static void set_resident(struct config *c, const char *text)
{
	const size_t n = strcspn(text, ":");

	c->resident_bound = RESIDENT_BOUND;
	if (num_parse_n(text, n, 1, LIMIT_MAX, &c->resident) != NULL ||
		(text[n] == ':' && num_parse(text + n + 1, 1, LIMIT_MAX, &c->resident_bound) != NULL))
		check("--resident", text, "is not N or N:CONNECTIONS, as in 10:100");
}

static void set_tls_mode(struct config *c, const char *text)
{
	c->tls_wrap = strcmp(text, "wrap") == 0;
	if (!c->tls_wrap && strcmp(text, "start") != 0)
		check("--tls-mode", text, "is no mode: start or wrap");
}

static void set_penalty(struct config *c, const char *text)
{
	static uint16_t penalty_s[LIMITS_CODES + 1];

	check("--penalty", text, limits_penalty(penalty_s, text));
	c->limits.penalty_s = penalty_s;
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

/* clang-format off */
static void set_option(struct config *c, int option, const char *value, char **argv)
{
	switch (option) {
	case '1': c->announce = true; break;
	case 'b': c->backlog = (int)option_number("-b", value, 0, BACKLOG_MAX); break;
	case 'B': c->banner = value; break;
	case 'c': c->limit = option_number("-c", value, 1, LIMIT_MAX); break;
	case 'C': c->limits.quota.per_address = option_number("-C", value, 1, LIMIT_MAX); break;
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
	case 't': c->timeout_ms = 1000 * (int)option_number("-t", value, 0, TIMEOUT_MAX_S); break;
	case 'u': set_user(c, "-u", value); break;
	case 'U':
		set_user(c, "-U: UID", from_environment("UID"));
		set_group(c, "-U: GID", from_environment("GID"));
		break;
	case 'v': c->verbosity = STATUS; break;
	case 'x': c->rules = value; break;
	case 'X': c->rules_may_miss = true; break;
	case OPTION_DRAIN: c->drain_ms = 1000 * (int)option_number("--drain", value, 0, TIMEOUT_MAX_S); break;
	case OPTION_LISTEN: add_listen(c, value, argv); break;
	case OPTION_LOG: set_form(c, value); break;
	case OPTION_NET: check("--net", value, quota_net(&c->limits.quota, value)); break;
	case OPTION_PENALTY: set_penalty(c, value); break;
	case OPTION_PROXY: c->proxy = true; break;
	case OPTION_RATE: check("--rate", value, quota_rate(&c->limits.quota, value)); break;
	case OPTION_READY_FD: c->ready_fd = (int)option_number("--ready-fd", value, 0, FD_MAX); break;
	case OPTION_RESIDENT: set_resident(c, value); break;
	case OPTION_TLS: c->tls = value; break;
	case OPTION_TLS_CLIENT_CERTS: c->tls_client_certs = true; break;
	case OPTION_TLS_MODE: set_tls_mode(c, value); break;
	case OPTION_TLS_USER: c->tls_user = value; break;
	case OPTION_UNSAFE_ENV: c->unsafe_env = true; break;
	case OPTION_HELP: option_print(help);
	case OPTION_VERSION: option_print(house_version);
	default: option_refuse("tcpserver", option, optopt, USAGE);
	}
}
/* clang-format on */

static const char *next_word(char ***argv)
{
	if (**argv == NULL)
		die_usage(USAGE);
	return *(*argv)++;
}

/* The operands come first, whatever --listen has added. */
static void find_first_place(struct config *c, char ***argv)
{
	const char *host = next_word(argv), *port = NULL;

	if (needs_port(host)) {
		port = next_word(argv);
		(void)listeners_port(port); /* wrong before anything else is, as in ucspi-tcp */
	}
	add_place(c, host, port);
	memmove(c->places + 1, c->places, (c->place_count - 1) * sizeof c->places[0]);
	c->places[0] = (struct place){ .host = host, .port = port };
}

static void check_tls(const struct config *c)
{
	if (c->tls == NULL && (c->tls_wrap || c->tls_user != NULL || c->tls_client_certs))
		die(EXIT_PERMANENT, "--tls-mode, --tls-user and --tls-client-certs need --tls dir");
	if (c->tls_wrap && c->banner[0] != '\0')
		die(EXIT_PERMANENT, "-B cannot be said before TLS: take it out, or use --tls-mode=start");
}

static struct config config_of(int argc, char **argv)
{
	struct config c = {
		.self = argv,
		.limits.quota = { .bits4 = NET4_BITS, .bits6 = NET6_BITS },
		.drain_ms = -1,
		.ready_fd = -1,
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
			argc, argv, "+:1b:B:c:C:dDg:hHl:oOpPqQrRt:u:UvXx:", long_options, NULL)) != -1)
		set_option(&c, option, optarg, argv);
	argv += optind;
	err_silence(c.verbosity == QUIET);
	find_first_place(&c, &argv);
	if (argv[0] == NULL)
		die_usage(USAGE);
	c.program = argv;
	check_tls(&c);
	return c;
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
	sigaddset(&ours, SIGUSR2);
	sigprocmask(SIG_BLOCK, &ours, NULL);
	signal(SIGCHLD, SIG_DFL); /* ignored, it would make every wait fail */
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	static struct listeners listeners;
	struct tls_link tls;
	struct config c;
	int code;

	err_name("tcpserver");
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	c = config_of(argc, argv);
	reset_signals();
	listeners_open(&listeners, &c);
	if (listeners_prepare(&listeners, &c) == -1) /* before anybody knows that we are here */
		die(EXIT_TEMPORARY, "unable to prepare the socket: %s", errtext(errno));
	tls_link_open(&tls, &c); /* while we may read keys, and before we are guarded */
	logline_open(c.form);
	if (guard_enter(getpid()) == -1 && errno != EPERM)
		warn("unable to guard against signals of programs: %s", errtext(errno));
	drop_privileges(&c);
	listeners_announce(&listeners, &c);
	close_stdio();
	code = serve(&listeners, &tls, &c);
	if (code == -1)
		die(EXIT_TEMPORARY, "unable to serve: %s", errtext(errno));
	_exit(code); /* children live on; nothing of ours is left to be written */
}
