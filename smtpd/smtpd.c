/* smtpd - SMTP on descriptors 0 and 1, for tcpserver, inetd and their like: smtpd(8). */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/str.h"
#include "net/resident.h"
#include "smtpd/command.h"
#include "smtpd/event.h"
#include "smtpd/fresh.h"
#include "smtpd/look.h"
#include "smtpd/policy_ask.h"
#include "smtpd/starttls.h"

#define USAGE                                                           \
	"smtpd: usage: smtpd [--log=json] [[HOST] CHECKER [ARG ...]]\n" \
	"       smtpd --check [[HOST] CHECKER [ARG ...]]\n"             \
	"       smtpd --as-client IP [-x CDB] [[HOST] CHECKER [ARG ...]]\n"

static const char help[] = USAGE
	"Speaks SMTP on descriptors 0 and 1; started by tcpserver, inetd, xinetd and their like.\n"
	"With a checker of passwords (checkpassword-file(8) and its like) AUTH is spoken.\n"
	"Configured by control files and environment: see smtpd(8).\n"
	"  --log=json      log lines as objects of JSON\n"
	"  --check         say what the control files mean, and what is wrong with them or the checker\n"
	"  --as-client IP  speak as to a client at this address, on the terminal\n"
	"  -x CDB          ... with the variables of its rule in this file\n"
	"  --help          this text\n"
	"  --version       the version of portero\n";

enum {
	STACK_USED = 16 * 1024,  /* below main; a session needs about 6 KiB: tests/resident.bats looks */
	USUALLY_USED = 16 * 1024 /* of a buffer, by a session with a short message */
};

/* Nothing is written here before it is needed: pages that no session reaches cost nothing. */
static struct settings settings;
static struct session session;
static struct queues queues;
static struct policy_ask policies;
static struct checker checker = { .broker = { .sock = -1 } }; /* starts once a process */

static void name_session(struct session *s)
{
	static unsigned long number;
	struct str id;

	str_init(&id, s->id, sizeof s->id);
	str_putu(&id, (unsigned long)time(NULL));
	str_putc(&id, '.');
	str_putu(&id, (unsigned long)getpid());
	str_putc(&id, '.');
	str_putu(&id, ++number);
}

static void open_session(struct session *s)
{
	name_session(s);
	s->set = &settings;
	memcpy(s->ucspi, settings.ucspi, sizeof s->ucspi);
	s->relay = settings.relay;
	s->listing = settings.listing.refuses ? &settings.listing : NULL;
	s->state = STATE_IDLE;
	s->exit_code = SESSION_EXIT_LEFT; /* unless QUIT is heard */
	s->in = (struct io_reader){
		.fd = 0, .timeout_ms = settings.timeout_ms, .buf = s->in_bytes, .cap = sizeof s->in_bytes
	};
	s->out = (struct io_writer){
		.fd = 1, .timeout_ms = settings.timeout_ms, .buf = s->out_bytes, .cap = sizeof s->out_bytes
	};
	envelope_init(&s->envelope, s->envelope_bytes, sizeof s->envelope_bytes);
	starttls_open(&s->tls);
	s->ask = &policies;
	s->queues = &queues;
}

static _Noreturn void refuse_session(enum reply r, const char *what, const char *why)
{
	event_trouble(&session, what, why);
	reply_put(&session, r);
	(void)io_flush(&session.out);
	_exit(1);
}

/* ---- another connection -------------------------------------------------------------------------------- */

static __attribute__((noinline)) void wipe_stack(void)
{
	char below[STACK_USED];

	explicit_bzero(below, sizeof below);
}

/* Wiping is cheaper than giving pages back, whose next use is a fault each (6 of them: 280 us against 1 us where
 * we measured). But most of the buffers is never reached, and wiping would bring it into memory. So: the part
 * that is usually used is wiped, and what pages lie behind it go back, whether they were used or not. */
static bool wipe(char *p, size_t n, size_t used)
{
	const size_t page = (size_t)getpagesize();
	const size_t past = ((uintptr_t)p + used) % page;
	const size_t from = used + (past == 0 ? 0 : page - past);
	size_t whole;

	if (from >= n) {
		explicit_bzero(p, n);
		return true;
	}
	whole = (n - from) / page * page;
	explicit_bzero(p, from);
	explicit_bzero(p + from + whole, n - from - whole);
	return whole == 0 || madvise(p + from, whole, MADV_DONTNEED) == 0;
}

/* What the next session finds is what the first one found. */
static bool forget(struct session *s)
{
	const size_t head = offsetof(struct session, in_bytes);
	bool good;

	_Static_assert(offsetof(struct session, in_bytes) < USUALLY_USED, "the small things come first");
	good = wipe(s->in_bytes, sizeof s->in_bytes, USUALLY_USED) &&
	       wipe(s->text_bytes, sizeof s->text_bytes, USUALLY_USED) &&
	       wipe(s->envelope_bytes, sizeof s->envelope_bytes, USUALLY_USED);
	explicit_bzero(s->out_bytes, sizeof s->out_bytes);
	explicit_bzero(s, head);
	wipe_stack();
	return good;
}

/* Returns the exit code. */
static int serve(void)
{
	struct session *s = &session;

	s->door = queues_find(&queues, "");
	s->checker = checker.broker.sock != -1 ? &checker : NULL;
	command_loop(s);
	policy_ask_close(s);
	return s->exit_code;
}

/* Is the connection that we were handed one that a fresh process would treat as we do? */
static bool is_for_us(const struct fresh *fresh)
{
	return fresh_is(fresh) && resident_same_place() && policy_ask_is_quiet(&policies) &&
	       !queues_lost(&queues); /* the queue server was started anew: no lock lets us connect again */
}

/* There is none, or it has not been lost. */
static bool checker_is_well(void)
{
	return checker.broker.pid <= 0 || checker.broker.sock != -1;
}

/* A door or checker that a session had to give up makes it the last one. */
static int serve_all(struct resident *resident, const struct fresh *fresh)
{
	for (;;) {
		const int code = serve();

		if (resident->control == -1 || queues_lost(&queues) || policies.failed ||
			!checker_is_well() || !forget(&session) || !resident_next(resident, code))
			return code;
		if (!is_for_us(fresh)) {
			resident_back(resident);
			return code;
		}
		settings_of_connection(&settings);
		open_session(&session);
	}
}

struct options {
	bool check;
	const char *as_client;
	const char *rules;
	char **rest;
};

/* "-name value" and "-name=value", each may stand alone. */
static const char *value(const char *name, char ***argv)
{
	const size_t n = strlen(name);
	const char *word = **argv;

	if (strncmp(word, name, n) != 0 || (word[n] != '=' && word[n] != '\0'))
		return NULL;
	if (word[n] == '=')
		return word + n + 1;
	if (*++*argv == NULL)
		die_usage(USAGE);
	return **argv;
}

static struct options read_options(char **argv)
{
	struct options o = { .check = false };
	const char *text;

	while (*++argv != NULL && **argv == '-') {
		if (strcmp(*argv, "--check") == 0)
			o.check = true;
		else if (strcmp(*argv, "--log=json") == 0)
			event_as_json();
		else if ((text = value("--as-client", &argv)) != NULL)
			o.as_client = text;
		else if ((text = value("-x", &argv)) != NULL)
			o.rules = text;
		else
			die_usage(USAGE);
	}
	o.rest = argv;
	if (o.rules != NULL && o.as_client == NULL)
		die_usage(USAGE);
	return o;
}

/* A resident process may need it for a later client. */
static void open_checker(char **words, bool resident)
{
	const struct auth_words *w = &settings.auth;
	const char *wrong;

	if (words == NULL || (!resident && (w->never || w->wrong)))
		return;
	wrong = checker_open(&checker, words, settings.timeout_ms, log_is_syslog());
	if (wrong != NULL) /* AUTH is not offered */
		event_trouble(&session, "checker", wrong);
}

int main(int argc, char **argv)
{
	struct session *s = &session;
	struct options options;
	struct resident resident;
	struct fresh fresh;
	const char *wrong;
	int code;

	err_name("smtpd");
	err_option(argc, argv, help);
	options = read_options(argv);
	if (options.as_client != NULL)
		look_as_client(options.as_client, options.rules);
	signal(SIGPIPE, SIG_IGN);
	log_open("smtpd");

	if (resident_open(&resident) && fresh_open(&fresh) == -1)
		resident.control = -1; /* this one connection, then */
	wrong = settings_read(&settings);
	if (options.check)
		look_check(&settings, wrong, checker_words(options.rest));
	open_session(s);
	if (wrong != NULL)
		refuse_session(REPLY_NO_CONTROLS, wrong, strerror(errno));
	wrong = policy_ask_open(&policies, &settings.policies, log_is_syslog());
	if (wrong != NULL)
		refuse_session(REPLY_NO_CONTROLS, settings.policies_file, wrong);
	wrong = queues_open(
		&queues, settings.queue, &settings.queues, log_is_syslog(), resident.control != -1);
	if (wrong != NULL)
		refuse_session(REPLY_NO_CONTROLS, "queues", wrong);
	if (queues.trouble != NULL) /* DATA will say 451: the client keeps its mail */
		event_trouble(s, settings.queue, queues.trouble);
	open_checker(checker_words(options.rest), resident.control != -1);
	if (sandbox_enter(resident.control != -1 ? SANDBOX_SMTPD_RESIDENT : SANDBOX_SMTPD) == -1)
		refuse_session(REPLY_NO_SANDBOX, "sandbox", strerror(errno));

	code = serve_all(&resident, &fresh);
	close(0); /* the client need not wait for the rest */
	close(1);
	queues_close(&queues);
	checker_close(&checker);
	policy_ask_finish(&policies);
	_exit(code);
}
