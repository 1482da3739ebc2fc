#include "smtpd/checker.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/spawn.h"
#include "net/resident.h"

enum { LIFE_MS = 30 * 1000, GRACE_MS = 5 * 1000, DELAY_MS = 1000, CHECKER_FD = 3 };

/* ---- the command line ---------------------------------------------------------------------------------- */

/* "checkpassword /bin/true" is no host name with a checker that says yes to everybody. */
static bool begins_with_host(char **words)
{
	return strchr(words[0], '/') == NULL && words[1] != NULL && strchr(words[1], '/') != NULL &&
	       words[2] != NULL && !spawn_finds(words[0]);
}

char **checker_words(char **words)
{
	if (words[0] == NULL)
		return NULL;
	return begins_with_host(words) ? words + 1 : words;
}

/* ---- asking -------------------------------------------------------------------------------------------- */

const char *checker_open(struct checker *c, char **words, int timeout_ms, bool null_log)
{
	static const struct broker_pipe credentials = {
		.way = BROKER_WE_WRITE, .counted = true, .fd = { CHECKER_FD, CHECKER_FD }
	};
	struct broker_program program = { .argv = words,
		.pipes = &credentials,
		.pipe_count = 1,
		.null_log = null_log,
		.settable = resident_of_connection };

	c->timeout_ms = timeout_ms < LIFE_MS ? timeout_ms : LIFE_MS;
	c->delay_ms = DELAY_MS;
	program.timeout_ms = c->timeout_ms;
	return broker_open(&c->broker, &program);
}

void checker_close(struct checker *c)
{
	broker_close(&c->broker);
}

static enum checker_says judge(const struct broker_end *end, const char **why)
{
	if (WIFSIGNALED(end->status)) {
		*why = WTERMSIG(end->status) == SIGKILL ? "it was killed: did it take too long?"
							: "it crashed";
		return CHECKER_TROUBLE;
	}
	switch (WEXITSTATUS(end->status)) {
	case 0:
		if (end->unread == 0)
			return CHECKER_GOOD;
		*why = "it says yes to a password that it has not read: is this a checker?";
		return CHECKER_TROUBLE;
	case 1:
		return CHECKER_WRONG;
	case 2:
		*why = "it says that it is misused, exit 2";
		return CHECKER_TROUBLE;
	case 100:
		*why = "it fails for ever, exit 100";
		return CHECKER_TROUBLE;
	case 111:
		*why = "it fails for now, exit 111";
		return CHECKER_TROUBLE;
	default:
		*why = "its exit code means nothing";
		return CHECKER_TROUBLE;
	}
}

enum checker_says checker_ask(
	struct checker *c, bool secured, const char *message, size_t n, const char **why)
{
	char *more[] = { secured ? (char *)"SMTPAUTHTLS=1" : (char *)"SMTPAUTHTLS=0", NULL };
	struct broker_end end;
	ssize_t handed;
	pid_t pid;
	int fd;

	if (broker_start(&c->broker, resident_variables(more), c->timeout_ms, &fd, &pid) == -1) {
		*why = c->broker.sock == -1 ? "the broker is lost" : "it cannot be started";
		return CHECKER_TROUBLE;
	}
	handed = write(fd, message, n); /* all at once: a new pipe takes more */
	close(fd);
	if (broker_wait(&c->broker, c->timeout_ms + GRACE_MS, &end) == -1) {
		*why = "the broker is lost";
		return CHECKER_TROUBLE;
	}
	if (handed != (ssize_t)n) {
		*why = "it cannot be written to";
		return CHECKER_TROUBLE;
	}
	return judge(&end, why);
}
