/* queue-smtp - a queue program that hands each message at once to a smarthost: queue-smtp(8). */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/house.h"
#include "base/log.h"
#include "base/option.h"
#include "net/dial.h"
#include "net/listen.h"
#include "queue/onward.h"

#define USAGE                                                                                  \
	"queue-smtp: usage: queue-smtp [ --auth file ] [ --connect seconds ] [ --helo name ] " \
	"[ --local address ] [ --time seconds ] host port\n"

static const char help[] =
	USAGE "Takes one message by the qmail-queue protocol (message on descriptor 0, envelope on 1)\n"
	      "and hands it at once to the mail server host, for all of its recipients or for none.\n"
	      "  --auth file        say who we are: a user in its first line, a password in its second\n"
	      "  --connect seconds  for the connection to each address of host, 60\n"
	      "  --helo name        our name, instead of that in control/me\n"
	      "  --local address    connect from this address\n"
	      "  --time seconds     for all of it, once the message is here, 540\n"
	      "  --help             print this and exit\n"
	      "  --version          print the version and exit\n";

enum {
	OPTION_AUTH = 256,
	OPTION_CONNECT,
	OPTION_HELO,
	OPTION_LOCAL,
	OPTION_TIME,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "auth", required_argument, NULL, OPTION_AUTH },
	{ "connect", required_argument, NULL, OPTION_CONNECT },
	{ "helo", required_argument, NULL, OPTION_HELO },
	{ "local", required_argument, NULL, OPTION_LOCAL },
	{ "time", required_argument, NULL, OPTION_TIME },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

/* Whoever hands in waits for us, and a client of SMTP for that one: 10 minutes, RFC 5321 section 4.5.3.2.6. */
enum { TIME_S = 540, CONNECT_S = 60, TIME_MAX_S = 86400 };
enum { LIFE_S = 24 * 60 * 60 /* as qmail-queue: whoever hands in slower is dead */ };
enum { WORD = 513 };

struct options {
	const char *auth;
	const char *helo;
	bool has_local;
	struct addr local;
	unsigned long connect_s, time_s;
	const char *host;
	unsigned port;
};

static struct onward o;
static char user[WORD], password[WORD];

/* ---- options ------------------------------------------------------------------------------------------- */

static void set_local(struct options *to, const char *text)
{
	const char *wrong = addr_parse(text, &to->local);

	if (wrong != NULL)
		die(EXIT_PERMANENT, "--local: \"%s\" %s", text, wrong);
	to->has_local = true;
}

/* clang-format off */
static void set_option(struct options *to, int option, const char *value)
{
	switch (option) {
	case OPTION_AUTH: to->auth = value; break;
	case OPTION_CONNECT: to->connect_s = option_number("--connect", value, 1, TIME_MAX_S); break;
	case OPTION_HELO: to->helo = value; break;
	case OPTION_LOCAL: set_local(to, value); break;
	case OPTION_TIME: to->time_s = option_number("--time", value, 1, TIME_MAX_S); break;
	case OPTION_HELP: option_print(help);
	case OPTION_VERSION: option_print(house_version);
	default: option_refuse("queue-smtp", option, optopt, USAGE);
	}
}
/* clang-format on */

static struct options options_of(int argc, char **argv)
{
	struct options to = { .connect_s = CONNECT_S, .time_s = TIME_S };
	const char *wrong;
	bool unknown;

	for (int option; (option = getopt_long(argc, argv, "+:", long_options, NULL)) != -1;)
		set_option(&to, option, optarg);
	if (argc - optind != 2)
		die_usage(USAGE);
	to.host = argv[optind];
	wrong = listen_port(argv[optind + 1], &to.port, &unknown);
	if (wrong != NULL)
		die(EXIT_PERMANENT, "port: \"%s\" %s", argv[optind + 1], wrong);
	return to;
}

/* ---- who we are ---------------------------------------------------------------------------------------- */

static _Noreturn void bad_auth(const char *file, const char *why)
{
	warn("%s: %s", file, why);
	_exit(DOOR_CONFIGURATION);
}

static void take_line(const char *file, char **text, char to[WORD])
{
	const size_t n = strcspn(*text, "\r\n");

	if (n == 0 || n >= WORD)
		bad_auth(file, "holds no user and password, each on a line of 1 to 512 bytes");
	memcpy(to, *text, n);
	to[n] = '\0';
	*text += n;
	*text += **text == '\r';
	*text += **text == '\n';
}

static void read_auth(const char *file)
{
	char memory[2 * WORD + 4], *text = memory;
	struct stat st;

	if (stat(file, &st) == -1)
		bad_auth(file, errtext(errno));
	if ((st.st_mode & S_IROTH) != 0)
		bad_auth(file, "everybody may read it: chmod o= it");
	if (fs_read_all(AT_FDCWD, file, memory, sizeof memory) == -1)
		bad_auth(file, errtext(errno));
	take_line(file, &text, user);
	take_line(file, &text, password);
	explicit_bzero(memory, sizeof memory);
}

/* ---- the server ---------------------------------------------------------------------------------------- */

/* "mx.example.org [192.0.2.1]:25" */
static void set_where(const struct options *op, const struct addr *a)
{
	char address[ADDR_TEXT];
	struct str s;

	addr_format(a, address);
	str_init(&s, o.where, sizeof o.where);
	str_put_printable(&s, op->host, strnlen(op->host, sizeof o.where / 2));
	str_puts(&s, " [");
	str_puts(&s, address);
	str_puts(&s, "]:");
	str_putu(&s, op->port);
}

static void find_host(const struct options *op, int64_t deadline_ms, struct dial_list *list)
{
	size_t kept = 0;

	if (dial_host(op->host, clock_left_ms(deadline_ms), list) != DIAL_HOST_OK)
		onward_fail(&o, DOOR_CONNECTION, "it has no address, or its name cannot be looked up now");
	for (size_t i = 0; i < list->count; i++) /* from an IPv4 address to an IPv4 address */
		if (!op->has_local || addr_is_v4(&list->addr[i]) == addr_is_v4(&op->local))
			list->addr[kept++] = list->addr[i];
	list->count = kept;
	if (kept == 0)
		onward_fail(&o, DOOR_CONNECTION, "it has no address of the kind that --local names");
}

static int earlier_ms(int64_t deadline_ms, unsigned long seconds)
{
	const int left = clock_left_ms(deadline_ms), span = 1000 * (int)seconds;

	return left < span ? left : span;
}

static int try(const struct options *op, const struct addr *to, int64_t deadline_ms)
{
	const char *step;

	return dial(to, op->port, op->has_local ? &op->local : NULL, 0,
		earlier_ms(deadline_ms, op->connect_s), &step);
}

static enum door_exit code_of(int error)
{
	if (error == ETIMEDOUT)
		return DOOR_SERVER_SILENT;
	return error == ECONNRESET ? DOOR_LOST : DOOR_SERVER_AWAY; /* it was there, for a moment */
}

/* The first that connects and greets us; else what the last one did. */
static void connect_any(const struct options *op, const char *name, int64_t deadline_ms)
{
	struct dial_list list;

	find_host(op, deadline_ms, &list);
	for (size_t i = 0;; i++) {
		const bool last = i + 1 == list.count;
		const int fd = try(op, &list.addr[i], deadline_ms);
		enum smtp_outcome outcome;

		set_where(op, &list.addr[i]);
		if (fd == -1 && last)
			onward_fail(&o, code_of(errno), errtext(errno));
		if (fd == -1)
			continue;
		outcome = onward_greet(&o, fd, false, name, deadline_ms);
		if (outcome == SMTP_YES)
			return;
		if (last)
			onward_not_served(&o, outcome, " does not serve us");
		close(fd);
	}
}

/* A password is not for everybody on the way. */
static bool is_here(int fd)
{
	struct sockaddr_storage at;
	socklen_t size = sizeof at;
	struct addr a;
	unsigned port;

	if (getpeername(fd, (struct sockaddr *)&at, &size) == -1 ||
		addr_from_sockaddr(&at, &a, &port) == -1)
		return false;
	return addr_is_v4(&a) ? a.byte[12] == 127
			      : memcmp(&a, &(struct addr){ { [15] = 1 } }, sizeof a) == 0;
}

static void log_in(void)
{
	enum smtp_outcome outcome;

	if (!o.client.tls && !is_here(o.client.in.fd))
		onward_fail(&o, DOOR_CONFIGURATION, "no TLS there, so no password is sent");
	if ((o.client.offers & (SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN)) == 0)
		onward_fail(&o, DOOR_CONFIGURATION, "it offers neither AUTH PLAIN nor AUTH LOGIN");
	outcome = smtp_client_auth(&o.client, user, password);
	explicit_bzero(password, sizeof password);
	if (outcome != SMTP_YES)
		onward_not_served(&o, outcome, " does not let us in");
}

static void on_alarm(int sig)
{
	(void)sig;
	_exit(DOOR_TIMEOUT);
}

int main(int argc, char **argv)
{
	struct options op;
	int64_t deadline_ms;
	struct str where;

	err_name("queue-smtp");
	op = options_of(argc, argv);
	log_open("queue-smtp");
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write error */
	signal(SIGALRM, on_alarm);
	alarm(LIFE_S);
	o.server = op.host;
	str_init(&where, o.where, sizeof o.where);
	str_put_printable(&where, op.host, strnlen(op.host, sizeof o.where / 2));
	if (op.auth != NULL)
		read_auth(op.auth);
	onward_read(&o);
	deadline_ms = clock_ms() + 1000 * (int64_t)op.time_s;
	connect_any(&op, op.helo != NULL ? op.helo : onward_name(&o), deadline_ms);
	if (op.auth != NULL)
		log_in();
	onward_send(&o);
}
