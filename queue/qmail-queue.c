/* qmail-queue - hands one message to the queue server: qmail-queue(8). */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/house.h"
#include "base/str.h"
#include "queue/door.h"
#include "queue/door_fds.h"
#include "queue/door_wire.h"

enum { PIECE = 64 * 1024, PATH = 4096, LIFE_S = 24 * 60 * 60 };

/* Pages that no message reaches cost nothing. */
static struct door_socket door;
static char piece[PIECE];
static char envelope_bytes[DOOR_WIRE_ENVELOPE];

static void on_alarm(int sig)
{
	(void)sig;
	_exit(DOOR_TIMEOUT);
}

/* As the original: who types ^C behind a message has sent it all the same; what was blocked by our caller is not. */
static void set_signals(void)
{
	sigset_t alarms;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGALRM, on_alarm);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarms, NULL);
	alarm(LIFE_S);
}

static void connect_to_server(void)
{
	const char *home = house_home();
	char memory[PATH];
	struct str path;

	str_init(&path, memory, sizeof memory);
	str_puts(&path, home);
	str_puts(&path, "/run/queue");
	if (path.full || access(home, X_OK) == -1)
		_exit(DOOR_HOME);
	if (door_socket_open(&door, path.s) != NULL)
		_exit(DOOR_CONNECTION);
	if (door.fd <= ENVELOPE_FD) /* there was nothing to read from: it took that number */
		_exit(DOOR_READ);
}

/* When the server is gone its last words are heard at the end. */
static void pass_message(void)
{
	bool heard = true;
	ssize_t n;

	while ((n = door_read_message(piece, sizeof piece)) > 0)
		heard = heard && door_socket_write(&door, piece, (size_t)n) == 0;
	if (n == -1)
		_exit(DOOR_READ);
}

static bool tell(int fd, const struct str *text)
{
	return door.fd != fd && fs_write_all(fd, text->s, text->len) == 0;
}

/* Whoever gave us no descriptor for a text reads the exit code alone. */
static int custom(const struct door_answer *a)
{
	char line[DOOR_TEXT + 1];
	struct str text;

	str_init(&text, line, sizeof line);
	str_putc(&text, a->letter);
	str_puts(&text, a->text);
	if (tell(ERROR_FD, &text) || tell(OLD_ERROR_FD, &text))
		return DOOR_CUSTOM;
	return a->letter == 'D' ? DOOR_REFUSED : DOOR_LATER;
}

#define USAGE "qmail-queue: usage: qmail-queue\n"

static const char help[] =
	USAGE "Hands one message by the qmail-queue protocol (message on descriptor 0, envelope on 1)\n"
	      "to the queue server. See qmail-queue(8).\n"
	      "  --help      this text\n"
	      "  --version   the version of portero\n";

int main(int argc, char **argv)
{
	struct envelope e;
	struct door_answer answer;
	enum door_exit got;
	int code;

	err_name("qmail-queue");
	err_option(argc, argv, help);
	set_signals();
	connect_to_server();
	pass_message();
	envelope_init(&e, envelope_bytes, sizeof envelope_bytes);
	got = door_read_envelope(&e);
	if (got != DOOR_KEPT)
		_exit((int)got); /* and the server forgets what it has heard */
	door_socket_end(&door, &e, &answer);
	code = door_answer_code(&answer);
	_exit(code == DOOR_CUSTOM ? custom(&answer) : code);
}
