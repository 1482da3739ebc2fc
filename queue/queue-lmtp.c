/* queue-lmtp - a queue program that hands each message at once to a server of LMTP on this host: queue-lmtp(8). */

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/house.h"
#include "base/log.h"
#include "base/option.h"
#include "queue/onward.h"

#define USAGE "queue-lmtp: usage: queue-lmtp [ --lhlo name ] [ --time seconds ] path\n"

static const char help[] =
	USAGE "Takes one message by the qmail-queue protocol (message on descriptor 0, envelope on 1)\n"
	      "and hands it at once to the LMTP server at the Unix socket path.\n"
	      "  --lhlo name     our name, instead of that in control/me\n"
	      "  --time seconds  for all of it, once the message is here, 540\n"
	      "  --help          print this and exit\n"
	      "  --version       print the version and exit\n";

enum { OPTION_LHLO = 256, OPTION_TIME, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
	{ "lhlo", required_argument, NULL, OPTION_LHLO },
	{ "time", required_argument, NULL, OPTION_TIME },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

enum { TIME_S = 540, TIME_MAX_S = 86400, LIFE_S = 24 * 60 * 60, AGAIN_MS = 50 };

struct options {
	const char *lhlo;
	unsigned long time_s;
	struct sockaddr_un at;
};

static struct onward o;

/* clang-format off */
static void set_option(struct options *to, int option, const char *value)
{
	switch (option) {
	case OPTION_LHLO: to->lhlo = value; break;
	case OPTION_TIME: to->time_s = option_number("--time", value, 1, TIME_MAX_S); break;
	case OPTION_HELP: option_print(help);
	case OPTION_VERSION: option_print(house_version);
	default: option_refuse("queue-lmtp", option, optopt, USAGE);
	}
}
/* clang-format on */

static struct options options_of(int argc, char **argv)
{
	struct options to = { .time_s = TIME_S, .at = { .sun_family = AF_UNIX } };
	const char *path;

	for (int option; (option = getopt_long(argc, argv, "+:", long_options, NULL)) != -1;)
		set_option(&to, option, optarg);
	if (argc - optind != 1)
		die_usage(USAGE);
	path = argv[optind];
	if (strlen(path) >= sizeof to.at.sun_path)
		die(EXIT_PERMANENT, "the path of a socket has 107 bytes at most");
	memcpy(to.at.sun_path, path, strlen(path));
	return to;
}

/* A server with too many waiting says EAGAIN. */
static int dial_path(const struct sockaddr_un *at, int64_t deadline_ms)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		onward_fail(&o, DOOR_CONNECTION, errtext(errno));
	while (connect(fd, (const struct sockaddr *)at, sizeof *at) == -1) {
		if (errno != EAGAIN && errno != EINTR)
			onward_fail(&o, DOOR_SERVER_AWAY, errtext(errno));
		if (clock_left_ms(deadline_ms) == 0)
			onward_fail(&o, DOOR_SERVER_SILENT, "too many others wait for it");
		(void)poll(NULL, 0, AGAIN_MS);
	}
	return fd;
}

static void on_alarm(int sig)
{
	(void)sig;
	_exit(DOOR_TIMEOUT);
}

int main(int argc, char **argv)
{
	enum smtp_outcome outcome;
	struct options op;
	int64_t deadline_ms;
	struct str where;

	err_name("queue-lmtp");
	op = options_of(argc, argv);
	log_open("queue-lmtp");
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGALRM, on_alarm);
	alarm(LIFE_S);
	o.server = "LMTP server";
	str_init(&where, o.where, sizeof o.where);
	str_put_printable(&where, op.at.sun_path, strlen(op.at.sun_path));
	onward_read(&o);
	deadline_ms = clock_ms() + 1000 * (int64_t)op.time_s;
	outcome = onward_greet(&o, dial_path(&op.at, deadline_ms), true,
		op.lhlo != NULL ? op.lhlo : onward_name(&o), deadline_ms);
	if (outcome != SMTP_YES)
		onward_not_served(&o, outcome, " does not serve us");
	onward_send(&o);
}
