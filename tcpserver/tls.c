/* tls - holds certificates and keys for tcpserver, and carries its TLS sessions. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/house.h"
#include "base/num.h"
#include "base/option.h"
#include "net/tls_wire.h"
#include "tcpserver/tls_log.h"
#include "tcpserver/tls_master.h"

#define USAGE "tls: usage: tls [ -v ] [ -u uid ] [ -g gid ] [ --client-certs ] dir\n"

static const char help[] = USAGE
	"Holds the certificates and keys of dir and carries TLS sessions; tcpserver --tls starts it.\n"
	"  -g gid        sessions have this group, a number or a name\n"
	"  -u uid        sessions have this user, a number or a name\n"
	"  -v            one line for each handshake\n"
	"  --client-certs\n"
	"                ask clients for a certificate\n"
	"  --help        print this and exit\n"
	"  --version     print the version and exit\n";

enum { OPTION_HELP = 256, OPTION_VERSION, OPTION_CLIENT_CERTS };

static const struct option long_options[] = {
	{ "client-certs", no_argument, NULL, OPTION_CLIENT_CERTS },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

enum { SESSIONS = 100, SESSIONS_MAX = 1000000 };
enum { NOBODY = 65534, RESTART_S = 1, HANDSHAKE_S = 30, HANDSHAKE_MAX_S = 3600 };

static void check(const char *option, const char *text, const char *wrong)
{
	if (wrong != NULL)
		die(EXIT_PERMANENT, "%s: \"%s\" %s", option, text, wrong);
}

static void set_option(struct tls_master_config *c, int option, const char *value)
{
	switch (option) {
	case 'g':
		check("-g", value, user_find_group(value, &c->user.gid));
		break;
	case 'u':
		check("-u", value, user_find(value, &c->user.uid));
		break;
	case 'v':
		c->verbose = true;
		break;
	case OPTION_CLIENT_CERTS:
		c->rules.client_certs = true;
		break;
	case OPTION_HELP:
		option_print(help);
	case OPTION_VERSION:
		option_print(house_version);
	default:
		option_refuse("tls", option, optopt, USAGE);
	}
}

static int handshake_ms(void)
{
	const char *text = getenv("TLS_TIMEOUT");
	unsigned long seconds = HANDSHAKE_S;

	if (text != NULL)
		check("TLS_TIMEOUT", text, num_parse(text, 1, HANDSHAKE_MAX_S, &seconds));
	return 1000 * (int)seconds;
}

static unsigned sessions(void)
{
	const char *text = getenv("TLS_SESSIONS");
	unsigned long n = SESSIONS;

	if (text != NULL)
		check("TLS_SESSIONS", text, num_parse(text, 1, SESSIONS_MAX, &n));
	return (unsigned)n;
}

static struct tls_master_config config_of(int argc, char **argv)
{
	const char *alpn = getenv("TLS_ALPN");
	struct tls_master_config c = {
		.rules = { .alpn = alpn == NULL ? "smtp" : alpn },
		.user = { .uid = NOBODY, .gid = NOBODY },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+:g:u:v", long_options, NULL)) != -1)
		set_option(&c, option, optarg);
	if (argv[optind] == NULL || argv[optind + 1] != NULL)
		die_usage(USAGE);
	c.dir = argv[optind];
	c.handshake_ms = handshake_ms();
	c.sessions = sessions();
	c.user.set_uid = c.user.set_gid = geteuid() == 0;
	return c;
}

static void check_socket(void)
{
	int type = 0;
	socklen_t size = sizeof type;

	if (getsockopt(TLS_HELPER_FD, SOL_SOCKET, SO_TYPE, &type, &size) == -1 || type != SOCK_SEQPACKET)
		die(EXIT_PERMANENT, "descriptor 3 is no socket to tcpserver: use tcpserver --tls dir");
	if (fcntl(TLS_HELPER_FD, F_SETFD, FD_CLOEXEC) == -1)
		die(EXIT_TEMPORARY, "unable to keep descriptor 3: %s", errtext(errno));
}

/* Whoever reads the output of tcpserver sees its end; what it was itself given without being told is not ours. */
static void close_the_rest(void)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	if (syscall(SYS_close_range, TLS_HELPER_FD + 1, ~0U, 0) == -1)
		close(null); /* Linux before 5.9 */
}

/* The keys are read again after a crash of the process that holds them, by somebody who still may: tcpserver
 * has another user by then. Orders wait in the socket meanwhile. */
static _Noreturn void keep_running(const struct tls_master_config *c)
{
	for (bool first = true;; first = false) {
		int status;
		const pid_t pid = fork();

		if (pid == 0)
			_exit(tls_master(c, first));
		if (pid == -1)
			die(EXIT_TEMPORARY, "unable to fork: %s", errtext(errno));
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			;
		if (WIFEXITED(status) && (first || WEXITSTATUS(status) == 0))
			_exit(WEXITSTATUS(status));
		warn("the process that holds the keys ended with status %d: it is started again", status);
		tls_log_flush();
		sleep(RESTART_S);
	}
}

int main(int argc, char **argv)
{
	struct tls_master_config c;

	err_name("tls");
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	c = config_of(argc, argv);
	check_socket();
	close_the_rest();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	tls_log_open();
	keep_running(&c);
}
