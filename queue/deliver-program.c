/* deliver-program - a delivery agent that runs a program for each recipient: deliver-program(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/option.h"
#include "base/sigfd.h"
#include "base/spawn.h"
#include "queue/agent.h"

#define USAGE "deliver-program: usage: deliver-program [--jobs N] [--timeout SECONDS] PROGRAM [ARG ...]\n"

static const char help[] =
	USAGE "Takes jobs as portero-agent(7) says and runs PROGRAM for each recipient: the message on\n"
	      "descriptor 0; SENDER, RECIPIENT, LOCAL and HOST in its environment; exit codes as in\n"
	      "qmail-command(8). See deliver-program(8).\n"
	      "  --jobs N           at once (10)\n"
	      "  --timeout SECONDS  then it is killed (3600)\n"
	      "  --help             this text\n"
	      "  --version          the version of portero\n";

enum { READS = 32 };

struct options {
	unsigned jobs;
	int timeout_ms;
	char **argv;
};

/* A job, whose recipients are served one after another: they read by the same descriptor. */
struct slot {
	struct agent_job job;
	const char *recipient; /* NULL: the slot is free */
	unsigned long index;
	off_t start; /* of the message, in its file */
	pid_t pid;
	int out; /* what the program says; -1: it has closed that */
	int64_t deadline_ms;
	bool late;
	size_t n;
	char text[AGENT_TEXT];
	char memory[AGENT_PACKET + 1];
};

struct state {
	const struct options *options;
	const char **files;
	struct env env;
	int signals;
	bool ended; /* there will be no more jobs */
	size_t running;
	struct slot *slot;   /* as many as jobs */
	struct pollfd *poll; /* and two more */
};

/* ---- reports ------------------------------------------------------------------------------------------- */

static char letter_of(int status)
{
	static const int permanent[] = { 100, 64, 65, 70, 76, 77, 78, 112 };

	if (!WIFEXITED(status))
		return 'Z';
	for (size_t i = 0; i < sizeof permanent / sizeof permanent[0]; i++)
		if (WEXITSTATUS(status) == permanent[i])
			return 'D';
	return WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 99 ? 'K' : 'Z';
}

static void report(const struct slot *s, char letter, const char *text, size_t n)
{
	const struct agent_report r = {
		.job = s->job.number, .index = s->index, .letter = letter, .text = text, .n = n
	};

	if (agent_report(&r) == -1)
		die(EXIT_TEMPORARY, "queued has gone");
}

static void report_error(const struct slot *s, const char *what)
{
	char text[200];

	snprintf(text, sizeof text, "Unable to %s: %s. (#4.3.0)", what, errtext(errno));
	report(s, 'Z', text, strlen(text));
}

static void report_end(struct slot *s, int status)
{
	const char *text = s->late ? "Program took too long and was killed. (#4.3.0)"
				   : "Aack, child crashed. (#4.3.0)";

	while (s->n > 0 && s->text[s->n - 1] == '\n')
		s->n--;
	if (WIFEXITED(status))
		report(s, letter_of(status), s->text, s->n);
	else
		report(s, 'Z', text, strlen(text));
}

/* ---- programs ------------------------------------------------------------------------------------------ */

/* A group of its own, for when it is late; and it does not outlive us, who would report on it. */
static void lead_group(pid_t pid, void *arg)
{
	(void)pid;
	(void)arg;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static int set_environment(struct env *e, const struct slot *s)
{
	const char *at = strrchr(s->recipient, '@');
	const size_t n = at != NULL ? (size_t)(at - s->recipient) : strlen(s->recipient);
	char local[ENVELOPE_ADDRESS_MAX + 1];

	if (n >= sizeof local) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(local, s->recipient, n);
	local[n] = '\0';
	env_rewind(e);
	return env_set(e, "SENDER", envelope_sender(&s->job.envelope)) == 0 &&
			       env_set(e, "RECIPIENT", s->recipient) == 0 &&
			       env_set(e, "LOCAL", local) == 0 &&
			       env_set(e, "HOST", at != NULL ? at + 1 : "") == 0
		       ? 0
		       : -1;
}

static int run(const struct state *st, struct slot *s, int out)
{
	struct spawn how = { .files = st->files,
		.argv = st->options->argv,
		.envp = st->env.vector,
		.before_exec = lead_group };
	int error = 0;

	spawn_fd(&how, s->job.fd, 0);
	spawn_fd(&how, out, 1);
	spawn_fd(&how, out, 2);
	s->pid = spawn_run(&how, &error);
	if (s->pid == -1 || error == 0)
		return s->pid == -1 ? -1 : 0;
	while (waitpid(s->pid, NULL, 0) == -1 && errno == EINTR)
		;
	errno = error;
	return -1;
}

static int start(struct state *st, struct slot *s)
{
	int ends[2], error;

	if (lseek(s->job.fd, s->start, SEEK_SET) == -1 || set_environment(&st->env, s) == -1 ||
		pipe2(ends, O_CLOEXEC) == -1)
		return -1;
	s->n = 0;
	s->late = false;
	s->out = ends[0];
	s->deadline_ms = clock_ms() + st->options->timeout_ms;
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && run(st, s, ends[1]) == 0) {
		close(ends[1]);
		return 0;
	}
	error = errno;
	close(ends[0]);
	close(ends[1]);
	errno = error;
	return -1;
}

/* This recipient, or the first after it for whom a program can be started; after the last the slot is free. */
static void go_on(struct state *st, struct slot *s)
{
	while (s->recipient != NULL && start(st, s) == -1) {
		report_error(s, "run program");
		s->recipient = envelope_next(&s->job.envelope, s->recipient);
		s->index++;
	}
	if (s->recipient != NULL)
		return;
	close(s->job.fd);
	st->running--;
}

/* What goes beyond a report is read and forgotten. No more at once than fits into a pipe: there may be one that writes
 * for ever. */
static void hear(struct slot *s)
{
	char more[4096];
	ssize_t n;

	for (int i = 0; i < READS && s->out != -1 && (n = read(s->out, more, sizeof more)) != -1; i++) {
		const size_t room = sizeof s->text - s->n;
		const size_t take = (size_t)n < room ? (size_t)n : room;

		memcpy(s->text + s->n, more, take);
		s->n += take;
		if (n == 0) {
			close(s->out);
			s->out = -1;
		}
	}
}

static void end(struct state *st, struct slot *s, int status)
{
	hear(s);
	if (s->out != -1) /* something that it left behind has it too */
		close(s->out);
	report_end(s, status);
	s->recipient = envelope_next(&s->job.envelope, s->recipient);
	s->index++;
	go_on(st, s);
}

static void reap(struct state *st)
{
	int status;
	pid_t pid;

	while (sigfd_next(st->signals) != 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < st->options->jobs; i++)
			if (st->slot[i].recipient != NULL && st->slot[i].pid == pid) {
				end(st, &st->slot[i], status);
				break;
			}
}

static void kill_late(struct slot *s)
{
	if (s->late || clock_left_ms(s->deadline_ms) > 0)
		return;
	s->late = true;
	kill(-s->pid, SIGKILL);
	kill(s->pid, SIGKILL); /* it may lead another group by now */
}

/* ---- jobs ---------------------------------------------------------------------------------------------- */

static void take_job(struct state *st)
{
	struct slot *s = st->slot;

	while (s->recipient != NULL)
		s++;
	switch (agent_next(&s->job, s->memory, false)) {
	case 1:
		s->recipient = envelope_next(&s->job.envelope, NULL);
		s->index = 0;
		s->start = lseek(s->job.fd, 0, SEEK_CUR);
		st->running++;
		go_on(st, s);
		break;
	case 0:
		st->ended = true;
		break;
	default:
		if (errno != EAGAIN && errno != EINTR)
			die(EXIT_TEMPORARY, "what came is no job");
	}
}

static int prepare_poll(struct state *st)
{
	const unsigned jobs = st->options->jobs;
	int64_t deadline_ms = CLOCK_NEVER;

	for (unsigned i = 0; i < jobs; i++) {
		const struct slot *s = &st->slot[i];
		const bool busy = s->recipient != NULL;

		st->poll[i] = (struct pollfd){ .fd = busy ? s->out : -1, .events = POLLIN };
		if (busy && !s->late && s->deadline_ms < deadline_ms)
			deadline_ms = s->deadline_ms;
	}
	st->poll[jobs] = (struct pollfd){ .fd = st->signals, .events = POLLIN };
	st->poll[jobs + 1] =
		(struct pollfd){ .fd = st->ended || st->running == jobs ? -1 : AGENT_FD, .events = POLLIN };
	return clock_left_ms(deadline_ms);
}

static void turn(struct state *st)
{
	const unsigned jobs = st->options->jobs;
	const int timeout_ms = prepare_poll(st);

	if (poll(st->poll, jobs + 2, timeout_ms) == -1) {
		if (errno != EINTR)
			die(EXIT_TEMPORARY, "cannot poll: %s", errtext(errno));
		return;
	}
	for (unsigned i = 0; i < jobs; i++)
		if (st->slot[i].recipient != NULL) {
			if (st->poll[i].revents != 0)
				hear(&st->slot[i]);
			kill_late(&st->slot[i]);
		}
	if (st->poll[jobs].revents != 0)
		reap(st);
	if (st->poll[jobs + 1].revents != 0)
		take_job(st);
}

/* ---- beginning ----------------------------------------------------------------------------------------- */

static struct options read_options(int argc, char **argv)
{
	static const struct option names[] = { { "jobs", required_argument, NULL, 'j' },
		{ "timeout", required_argument, NULL, 't' }, { NULL, 0, NULL, 0 } };
	struct options o = { .jobs = 10, .timeout_ms = 3600 * 1000 };
	int letter;

	while ((letter = getopt_long(argc, argv, "+:", names, NULL)) != -1)
		switch (letter) {
		case 'j':
			o.jobs = (unsigned)option_number("--jobs", optarg, 1, 1000);
			break;
		case 't':
			o.timeout_ms = (int)option_number("--timeout", optarg, 1, 1000000) * 1000;
			break;
		default:
			option_refuse("deliver-program", letter, optopt, USAGE);
		}
	if (optind == argc)
		die_usage(USAGE);
	o.argv = argv + optind;
	return o;
}

static void init(struct state *st, const struct options *o)
{
	static const int child[] = { SIGCHLD };

	st->options = o;
	if (!spawn_finds(o->argv[0]))
		die(EXIT_PERMANENT, "%s: no such program", o->argv[0]);
	st->files = spawn_search(o->argv[0], getenv("PATH"));
	st->slot = calloc(o->jobs, sizeof *st->slot);
	st->poll = calloc(o->jobs + 2, sizeof *st->poll);
	st->signals = sigfd_open(child, 1);
	if (st->files == NULL || st->slot == NULL || st->poll == NULL || st->signals == -1 ||
		env_init(&st->env, environ) == -1)
		die(EXIT_TEMPORARY, "cannot begin: %s", errtext(errno));
}

int main(int argc, char **argv)
{
	static struct state st;
	struct options o;
	const char *wrong;

	err_name("deliver-program");
	err_option(argc, argv, help);
	o = read_options(argc, argv);
	init(&st, &o);
	wrong = agent_open(o.jobs);
	if (wrong != NULL)
		die(EXIT_PERMANENT, "%s", wrong);
	while (!st.ended || st.running > 0)
		turn(&st);
	return 0;
}
