/* rblsmtpd - refuse mail from clients that lists in the DNS name, else run an SMTP server. */

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/house.h"
#include "base/log.h"
#include "base/option.h"
#include "base/spawn.h"
#include "base/str.h"
#include "net/ucspi.h"
#include "tcpserver/rbl_lists.h"
#include "tcpserver/rbl_refuse.h"

#define USAGE                                                                                \
	"rblsmtpd: usage: rblsmtpd [ -bBcC ] [ -t timeout ] [ -r base[:text] ] [ -a base ] " \
	"program [ arg ... ]\n"

static const char help[] =
	USAGE "Runs program unless a list in the DNS names the client: then its mail is refused here.\n"
	      "  -a base       a client whom this list names may send; lists count in their order\n"
	      "  -b            of lists that follow: refuse for ever, with 553\n"
	      "  -B            of lists that follow: refuse for now, with 451 (default)\n"
	      "  -c            of lists that follow: one that fails refuses for now\n"
	      "  -C            of lists that follow: one that fails lets the client send (default)\n"
	      "  -r base:text  refuse whom this list names, with its text or this one; %IP% is the client\n"
	      "  -t timeout    seconds until the client must have left, 60; 0: say one line\n"
	      "  --environment\n"
	      "                refuse nobody: run program with the verdict in $RBLSMTPD\n"
	      "  --lookup-timeout seconds\n"
	      "                for all lists together, 5\n"
	      "  --help        print this and exit\n"
	      "  --version     print the version and exit\n";

enum { OPTION_ENVIRONMENT = 256, OPTION_LOOKUP_TIMEOUT, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
	{ "environment", no_argument, NULL, OPTION_ENVIRONMENT },
	{ "lookup-timeout", required_argument, NULL, OPTION_LOOKUP_TIMEOUT },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

enum { TIMEOUT_S = 60, LOOKUP_TIMEOUT_S = 5, TIMEOUT_MAX_S = 86400, LOOKUP_TIMEOUT_MAX_S = 300 };
enum { CLIENT = ADDR_TEXT + 2, LINE = 512 };

struct config {
	int timeout_ms;
	int lookup_timeout_ms;
	bool environment;
	bool bounce, closed; /* of the lists that follow */
	struct rbl lists;
	char **program;
};

static void list(struct config *c, char option, const char *spec)
{
	const char *wrong = rbl_add(&c->lists, spec, option == 'a', c->bounce, c->closed);

	if (wrong != NULL)
		die(EXIT_PERMANENT, "-%c: \"%s\" %s", option, spec, wrong);
}

/* clang-format off */
static void set_option(struct config *c, int option, const char *value)
{
	switch (option) {
	case 'a': case 'r': list(c, (char)option, value); break;
	case 'b': c->bounce = true; break;
	case 'B': c->bounce = false; break;
	case 'c': c->closed = true; break;
	case 'C': c->closed = false; break;
	case 't': c->timeout_ms = 1000 * (int)option_number("-t", value, 0, TIMEOUT_MAX_S); break;
	case OPTION_ENVIRONMENT: c->environment = true; break;
	case OPTION_LOOKUP_TIMEOUT:
		c->lookup_timeout_ms = 1000 * (int)option_number("--lookup-timeout", value, 1, LOOKUP_TIMEOUT_MAX_S);
		break;
	case OPTION_HELP: option_print(help);
	case OPTION_VERSION: option_print(house_version);
	default: option_refuse("rblsmtpd", option, optopt, USAGE);
	}
}
/* clang-format on */

static void config_of(struct config *c, int argc, char **argv)
{
	c->timeout_ms = 1000 * TIMEOUT_S;
	c->lookup_timeout_ms = 1000 * LOOKUP_TIMEOUT_S;
	/* +: what follows the program is not ours; the colon: we say ourselves what is missing */
	for (int o; (o = getopt_long(argc, argv, "+:a:bBcCr:t:", long_options, NULL)) != -1;)
		set_option(c, o, optarg);
	if (optind >= argc)
		die_usage(USAGE);
	c->program = argv + optind;
}

/* ---- the client ----------------------------------------------------------------------------------- */

struct client {
	bool known;
	struct addr addr;
	char text[CLIENT]; /* for the log: IPv4 as it was given, IPv6 in brackets */
};

static struct client client_of(const char *ip)
{
	struct client c = { 0 };
	char address[ADDR_TEXT];
	struct str text;

	str_init(&text, c.text, sizeof c.text);
	ip = ip != NULL ? ip : "";
	c.known = addr_parse(ip, &c.addr) == NULL;
	if (c.known && strchr(ip, ':') != NULL) {
		addr_format(&c.addr, address);
		str_puts(&text, addr_is_v4(&c.addr) ? "" : "[");
		str_puts(&text, address);
		str_puts(&text, addr_is_v4(&c.addr) ? "" : "]");
		return c;
	}
	for (; *ip != '\0' && text.len < ADDR_TEXT; ip++)
		str_putc(&text, *ip > ' ' && *ip <= '~' ? *ip : '?');
	return c;
}

/* "rblsmtpd: CLIENT pid PID: WHAT", where WHAT is what the client is told */
static void log_client(const struct client *c, const char *what, size_t n)
{
	char memory[LINE];
	struct str line;

	str_init(&line, memory, sizeof memory);
	str_puts(&line, c->text);
	str_puts(&line, " pid ");
	str_putu(&line, (unsigned long)getpid());
	str_puts(&line, ": ");
	str_put(&line, what, n);
	log_line(line.s, line.len);
}

/* ---- the verdict ---------------------------------------------------------------------------------- */

/* What the rules of tcpserver said already. */
static struct rbl_verdict told(const char *text, char clean[RBL_TEXT])
{
	struct rbl_verdict v = { .code = RBL_LATER, .text = clean };

	if (*text == '\0')
		return (struct rbl_verdict){ .code = RBL_PASS };
	if (*text == '-') {
		v.code = RBL_NEVER;
		text++;
	}
	rbl_clean(text, clean);
	return v;
}

static struct rbl_verdict ask(struct config *c, const struct client *client)
{
	static const char unknown[] = "TCPREMOTEIP is not an address: no list was asked";

	if (!client->known && c->lists.count > 0)
		log_client(client, unknown, strlen(unknown));
	return rbl_ask(&c->lists, client->known ? &client->addr : NULL, c->lookup_timeout_ms);
}

static void refuse(const struct config *c, const struct client *client, const struct rbl_verdict *v)
{
	char memory[RBL_TEXT + 8];
	struct str reply;

	str_init(&reply, memory, sizeof memory);
	str_puts(&reply, v->code == RBL_NEVER ? "553 " : "451 ");
	str_puts(&reply, v->text);
	log_client(client, reply.s, reply.len);
	str_puts(&reply, "\r\n");
	rbl_refuse(0, 1, reply.s, c->timeout_ms);
	_exit(0);
}

/* For a program that refuses by itself, as if tcpserver's rules had said it. */
static int pass_on(struct env *env, const struct rbl_verdict *v)
{
	char memory[RBL_TEXT + 1];
	struct str value;

	str_init(&value, memory, sizeof memory);
	if (v->code == RBL_NEVER)
		str_putc(&value, '-');
	/* a list's own hyphen is none of ours: a blank before it keeps 451 what it is */
	else if (v->code == RBL_LATER && v->text[0] == '-')
		str_putc(&value, ' ');
	str_puts(&value, v->code == RBL_PASS ? "" : v->text);
	return env_set(env, "RBLSMTPD", value.s);
}

static _Noreturn void run(char **program, struct env *env)
{
	const char **files = spawn_search(program[0], getenv("PATH"));

	if (files != NULL)
		spawn_exec(files, program, env->vector);
	die(EXIT_TEMPORARY, "unable to run %s: %s", program[0], errtext(errno));
}

int main(int argc, char **argv)
{
	static struct config c;
	const char *ucspi[UCSPI_VARS];
	const char *before = getenv("RBLSMTPD");
	char clean[RBL_TEXT];
	struct client client;
	struct rbl_verdict v;
	struct env env;

	err_name("rblsmtpd");
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	config_of(&c, argc, argv);
	log_open("rblsmtpd");
	ucspi_read(ucspi);
	client = client_of(ucspi[UCSPI_REMOTEIP]);
	if (env_init(&env, environ) == -1)
		die(EXIT_TEMPORARY, "%s", errtext(errno));
	if (c.environment && before != NULL)
		run(c.program, &env);
	v = before != NULL ? told(before, clean) : ask(&c, &client);
	if (c.environment && c.lists.count > 0 && pass_on(&env, &v) == -1)
		die(EXIT_TEMPORARY, "%s", errtext(errno));
	if (v.code != RBL_PASS && !c.environment)
		refuse(&c, &client, &v);
	run(c.program, &env);
}
