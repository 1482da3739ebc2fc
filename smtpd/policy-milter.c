/* policy-milter - a policy of smtpd that asks a milter: policy-milter(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/house.h"
#include "base/option.h"
#include "base/sandbox.h"
#include "mail/control.h"
#include "smtpd/milter_session.h"
#include "smtpd/policy_serve.h"

#define USAGE "policy-milter: usage: policy-milter [ options ] unix:path | inet:port@host | host port\n"

static const char help[] = USAGE
	"Speaks portero's policy protocol on descriptors 0 and 1, and asks a milter.\n"
	"  --command-timeout seconds\n"
	"                for each answer up to DATA, 30\n"
	"  --connect-timeout seconds\n"
	"                to connect and to agree on options, 30\n"
	"  --data-size bytes\n"
	"                of the body, most at once, if the milter agrees: 65535, 262143 or 1048575; 65535\n"
	"  --max-message bytes\n"
	"                larger messages are refused, 104857600\n"
	"  --message-timeout seconds\n"
	"                for each answer after DATA, 300\n"
	"  --name name   of this host, for the milter; default: control/me, else the system's\n"
	"  --protocol version\n"
	"                the highest that is offered, 2 to 6; 6\n"
	"  --quarantine header|defer\n"
	"                what becomes of mail that the milter puts aside; header\n"
	"  --help        print this and exit\n"
	"  --version     print the version and exit\n";

enum {
	OPTION_COMMAND_TIMEOUT = 256,
	OPTION_CONNECT_TIMEOUT,
	OPTION_DATA_SIZE,
	OPTION_MAX_MESSAGE,
	OPTION_MESSAGE_TIMEOUT,
	OPTION_NAME,
	OPTION_PROTOCOL,
	OPTION_QUARANTINE,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "command-timeout", required_argument, NULL, OPTION_COMMAND_TIMEOUT },
	{ "connect-timeout", required_argument, NULL, OPTION_CONNECT_TIMEOUT },
	{ "data-size", required_argument, NULL, OPTION_DATA_SIZE },
	{ "max-message", required_argument, NULL, OPTION_MAX_MESSAGE },
	{ "message-timeout", required_argument, NULL, OPTION_MESSAGE_TIMEOUT },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "protocol", required_argument, NULL, OPTION_PROTOCOL },
	{ "quarantine", required_argument, NULL, OPTION_QUARANTINE },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

enum { COMMAND_S = 30, CONNECT_S = 30, MESSAGE_S = 300, TIMEOUT_MAX_S = 3600 };
enum { MESSAGE_MAX = 100 * 1024 * 1024, MESSAGE_MOST = 2000000000, HOST_NAME = 256 };

struct options {
	struct milter_config config;
	struct milter_place place;
	int connect_ms;
	size_t max_message;
};

static struct milter_session session; /* pages that nothing needs cost nothing */

/* ---- options ------------------------------------------------------------------------------------------- */

static int timeout_ms(const char *option, const char *text)
{
	return (int)option_number(option, text, 1, TIMEOUT_MAX_S) * 1000;
}

static void set_quarantine(struct milter_config *c, const char *text)
{
	if (strcmp(text, "header") == 0)
		c->quarantine = MILTER_QUARANTINE_HEADER;
	else if (strcmp(text, "defer") == 0)
		c->quarantine = MILTER_QUARANTINE_DEFER;
	else
		die(EXIT_PERMANENT, "--quarantine: \"%s\" is not header or defer", text);
}

static void set_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case OPTION_COMMAND_TIMEOUT:
		o->config.command_ms = timeout_ms("--command-timeout", value);
		break;
	case OPTION_CONNECT_TIMEOUT:
		o->connect_ms = timeout_ms("--connect-timeout", value);
		break;
	case OPTION_DATA_SIZE:
		o->config.chunk = option_number("--data-size", value, MILTER_CHUNK, MILTER_CHUNK_1M);
		break;
	case OPTION_MAX_MESSAGE:
		o->max_message = option_number("--max-message", value, 1, MESSAGE_MOST);
		break;
	case OPTION_MESSAGE_TIMEOUT:
		o->config.message_ms = timeout_ms("--message-timeout", value);
		break;
	case OPTION_NAME:
		o->config.name = value;
		break;
	case OPTION_PROTOCOL:
		o->config.version =
			(unsigned)option_number("--protocol", value, MILTER_VERSION_MIN, MILTER_VERSION);
		break;
	case OPTION_QUARANTINE:
		set_quarantine(&o->config, value);
		break;
	case OPTION_HELP:
		option_print(help);
	case OPTION_VERSION:
		option_print(house_version);
	default:
		option_refuse("policy-milter", option, optopt, USAGE);
	}
}

static void options_of(struct options *o, int argc, char **argv)
{
	const char *wrong;

	*o = (struct options){
		.config = { .version = MILTER_VERSION,
			.chunk = MILTER_CHUNK,
			.command_ms = COMMAND_S * 1000,
			.message_ms = MESSAGE_S * 1000 },
		.connect_ms = CONNECT_S * 1000,
		.max_message = MESSAGE_MAX,
	};
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, "+:", long_options, NULL)) != -1;)
		set_option(o, c, optarg);
	argv += optind;
	argc -= optind;
	if (argc < 1 || argc > 2)
		die_usage(USAGE);
	wrong = argc == 1 ? milter_place_parse(&o->place, argv[0])
			  : milter_place_inet(&o->place, argv[0], argv[0], argv[1]);
	if (wrong != NULL)
		die(EXIT_PERMANENT, "milter %s%s%s: %s", argv[0], argc == 1 ? "" : " ",
			argc == 1 ? "" : argv[1], wrong);
}

/* ---- what is opened before the sandbox ----------------------------------------------------------------- */

static const char *host_name(void)
{
	static char name[HOST_NAME];
	const char *me;
	char path[4096];
	const int n = snprintf(path, sizeof path, "%s/control", house_home());
	const int dir =
		n > 0 && (size_t)n < sizeof path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	const enum control found = dir == -1 ? CONTROL_MISSING : control_line(dir, "me", &me);

	if (dir != -1)
		close(dir);
	if (found == CONTROL_ERROR)
		die(EXIT_TEMPORARY, "%s/me: %s", path, errtext(errno));
	if (found == CONTROL_READ)
		return me;
	return gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

static void prepare(struct milter_session *s, const struct options *o)
{
	s->config = &o->config;
	s->link.place = &o->place;
	s->link.connect_ms = o->connect_ms;
	if (spool_open(&s->text, "message", o->max_message) == -1 ||
		spool_open(&s->body, "body", o->max_message) == -1)
		die(EXIT_TEMPORARY, "unable to make a file in memory: %s", errtext(errno));
	milter_session_init(s);
}

int main(int argc, char **argv)
{
	const struct policy_serve policy = { .answer = milter_session_answer,
		.told = milter_session_told,
		.text = milter_session_text,
		.message = milter_session_message,
		.arg = &session };
	struct options o;
	int code;

	err_name("policy-milter");
	options_of(&o, argc, argv);
	if (o.config.name == NULL)
		o.config.name = host_name();
	signal(SIGPIPE, SIG_IGN);
	prepare(&session, &o);
	if (sandbox_enter(
		    o.place.to.any.sa_family == AF_UNIX ? SANDBOX_MILTER_UNIX : SANDBOX_MILTER_INET) == -1)
		die(EXIT_TEMPORARY, "sandbox: %s", errtext(errno));
	code = policy_serve(&policy);
	milter_session_quit(&session);
	_exit(code);
}
