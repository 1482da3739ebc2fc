/* checkpassword-dovecot - passwords that a Dovecot server knows: checkpassword-dovecot(8). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "net/ucspi.h"
#include "smtpd/checkpassword.h"
#include "smtpd/dovecot_auth.h"

#define USAGE "checkpassword-dovecot: usage: checkpassword-dovecot socket program [ arg ... ]\n"

static const char help[] = USAGE
	"Reads user and password from descriptor 3, and runs the program if the Dovecot server behind\n"
	"the socket takes them. See checkpassword-dovecot(8).\n"
	"  --help      this text\n"
	"  --version   the version of portero\n";

enum { TIMEOUT_MS = 25 * 1000 /* smtpd waits 30 s for us */ };

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const size_t n = strlen(path);
	int fd;

	if (n >= sizeof a.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(a.sun_path, path, n + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -1;
}

/* What smtpd says, or a server that speaks TLS itself. */
static bool is_secured(void)
{
	const char *text = getenv("SMTPAUTHTLS");

	return text != NULL ? strcmp(text, "1") == 0
			    : getenv("SMTPS") != NULL || getenv("SSL_PROTOCOL") != NULL;
}

static struct dovecot_client client_of_environment(void)
{
	const char *v[UCSPI_VARS];

	ucspi_read(v);
	return (struct dovecot_client){ .remote_ip = v[UCSPI_REMOTEIP],
		.remote_port = v[UCSPI_REMOTEPORT],
		.local_ip = v[UCSPI_LOCALIP],
		.local_port = v[UCSPI_LOCALPORT],
		.secured = is_secured() };
}

static bool ask(int fd, const struct credentials *c)
{
	const struct dovecot_client client = client_of_environment();
	char memory[2048];
	struct str question;
	bool good;

	str_init(&question, memory, sizeof memory);
	good = dovecot_question(&question, (unsigned long)getpid(), &client, c->user, c->password) &&
	       io_write_own(fd, TIMEOUT_MS, question.s, question.len) == IO_OK;
	explicit_bzero(memory, sizeof memory);
	return good;
}

int main(int argc, char **argv)
{
	static char buffer[DOVECOT_LINE];
	struct io_reader in = { .timeout_ms = TIMEOUT_MS, .buf = buffer, .cap = sizeof buffer };
	struct credentials c;
	enum dovecot_says said;
	const char *why = "unable to write";

	err_name("checkpassword-dovecot");
	err_option(argc, argv, help);
	if (argc < 2 || argv[1][0] == '-')
		checkpassword_misused(USAGE);
	checkpassword_read(&c, argv + 2, USAGE);
	if (c.user[0] == '\0' || c.password[0] == '\0')
		checkpassword_wrong(&c);
	in.fd = connect_to(argv[1]);
	if (in.fd == -1)
		die(EXIT_TEMPORARY, "%s: unable to connect: %s", argv[1], strerror(errno));
	said = ask(in.fd, &c) ? dovecot_greeting(&in, &why) : DOVECOT_TROUBLE;
	if (said == DOVECOT_OK)
		said = dovecot_answer(&in, &why);
	if (said == DOVECOT_TROUBLE)
		die(EXIT_TEMPORARY, "%s: %s", argv[1], why);
	if (said == DOVECOT_FAIL)
		checkpassword_wrong(&c);
	close(in.fd);
	checkpassword_run(&c, argv + 2, c.user, NULL, NULL);
}
