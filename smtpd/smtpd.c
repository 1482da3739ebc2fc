/* smtpd - SMTP on descriptors 0 and 1, for tcpserver, inetd and their like: smtpd(8). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "smtpd/command.h"
#include "smtpd/event.h"

#define USAGE "smtpd: usage: smtpd\n"

static const char help[] =
	USAGE "Speaks SMTP on descriptors 0 and 1; started by tcpserver, inetd, xinetd and their like.\n"
	      "Configured by control files and environment: see smtpd(8).\n"
	      "  --help      this text\n"
	      "  --version   the version of portero\n";

/* Nothing is written here before it is needed: pages that no session reaches cost nothing. */
static struct settings settings;
static struct session session;

static void open_session(struct session *s)
{
	s->set = &settings;
	s->state = STATE_IDLE;
	s->exit_code = 1; /* unless QUIT is heard */
	s->in = (struct io_reader){
		.fd = 0, .timeout_ms = settings.timeout_ms, .buf = s->in_bytes, .cap = sizeof s->in_bytes
	};
	s->out = (struct io_writer){
		.fd = 1, .timeout_ms = settings.timeout_ms, .buf = s->out_bytes, .cap = sizeof s->out_bytes
	};
	envelope_init(&s->envelope, s->envelope_bytes, sizeof s->envelope_bytes);
}

static _Noreturn void refuse_session(enum reply r, const char *what, const char *why)
{
	event_trouble(&session, what, why);
	reply_put(&session, r);
	(void)io_flush(&session.out);
	_exit(1);
}

int main(int argc, char **argv)
{
	const char *wrong;

	err_name("smtpd");
	err_option(argc, argv, help);
	if (argc > 1 && argv[1][0] == '-')
		die_usage(USAGE); /* other arguments are ignored, as in qmail-smtpd */
	signal(SIGPIPE, SIG_IGN);
	log_open("smtpd");

	wrong = settings_read(&settings);
	open_session(&session);
	if (wrong != NULL)
		refuse_session(REPLY_NO_CONTROLS, wrong, strerror(errno));
	wrong = door_open(&session.door, settings.queue, log_is_syslog());
	if (wrong != NULL) /* DATA will say 451: the client keeps its mail */
		event_trouble(&session, settings.queue, wrong);
	if (sandbox_enter(SANDBOX_SMTPD) == -1)
		refuse_session(REPLY_NO_SANDBOX, "sandbox", strerror(errno));

	command_loop(&session);
	close(0); /* the client need not wait for the rest */
	close(1);
	door_close(&session.door);
	_exit(session.exit_code);
}
