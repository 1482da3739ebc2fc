#include "queue/door_command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "net/resident.h"
#include "queue/door_fds.h"

enum { WORDS_MAX = 16, COMMAND_MAX = 1024 };

struct command {
	char text[COMMAND_MAX];
	char *words[WORDS_MAX + 1];
};

static const char *parse_command(struct command *c, const char *text)
{
	size_t n = strlen(text), count = 0;
	char *rest = NULL, *word;

	if (n >= sizeof c->text)
		return "queue command is too long";
	memcpy(c->text, text, n + 1);
	for (word = strtok_r(c->text, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
		if (count == WORDS_MAX)
			return "queue command has too many words";
		c->words[count++] = word;
	}
	c->words[count] = NULL;
	return count == 0 ? "queue command is empty" : NULL;
}

enum { MESSAGE, ENVELOPE, ERRORS, PIPES };

static const struct broker_pipe pipes[PIPES] = {
	[MESSAGE] = { .way = BROKER_WE_WRITE, .fd = { MESSAGE_FD, MESSAGE_FD } },
	[ENVELOPE] = { .way = BROKER_WE_WRITE, .fd = { ENVELOPE_FD, ENVELOPE_FD } },
	[ERRORS] = { .way = BROKER_WE_READ, .fd = { OLD_ERROR_FD, ERROR_FD } },
};

const char *door_command_open(struct door *d, const char *command, int null_log)
{
	struct command c;
	const struct broker_program program = { .argv = c.words,
		.pipes = pipes,
		.pipe_count = PIPES,
		.timeout_ms = -1,
		.null_log = null_log != 0,
		.settable = resident_of_connection };
	const char *wrong;

	wrong = parse_command(&c, command);
	return wrong != NULL ? wrong : broker_open(&d->broker, &program);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

/* The text of the program itself, if it is one. */
static bool read_custom(struct door_answer *a, int errors)
{
	char text[DOOR_TEXT];
	const ssize_t n =
		read(errors, text, sizeof text - 1); /* it has ended: what it wrote is in the pipe */

	if (n <= 0)
		return false;
	door_answer_take(a, text[0] == 'D' ? 'D' : 'Z', text + 1, (size_t)n - 1);
	return strlen(a->text) > 1;
}

static void answer_of_status(struct door_answer *a, int status, int errors)
{
	if (!WIFEXITED(status))
		door_answer_set(a, "Zqq crashed (#4.3.0)");
	else if (WEXITSTATUS(status) != DOOR_CUSTOM || !read_custom(a, errors))
		door_answer_set(a, door_answer_text(WEXITSTATUS(status)));
}

/* ---- handing in ---------------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* NULL: the environment that the broker has is this connection's. */
static char **variables(const struct door *d)
{
	const bool more = d->more != NULL && d->more[0] != NULL;

	return d->resident || more ? resident_variables(d->more) : NULL;
}

int door_command_begin(struct door *d, struct door_answer *answer)
{
	int ends[PIPES];
	pid_t pid = 0;

	if (broker_start(&d->broker, variables(d), DOOR_PATIENCE_MS, ends, &pid) == -1) {
		if (d->broker.sock == -1)
			door_answer_set(answer,
				"Zqqt failure (#4.3.0)"); /* qmail-smtpd's words for "cannot start" */
		else
			door_answer_set(answer, door_answer_text(DOOR_NO_EXEC));
		return -1;
	}
	d->qp = (uint64_t)pid;
	d->message = ends[MESSAGE];
	d->envelope = ends[ENVELOPE];
	d->errors = ends[ERRORS];
	return 0;
}

static int put(int fd, const char *p, size_t n)
{
	switch (io_write_own(fd, DOOR_PATIENCE_MS, p, n)) {
	case IO_OK:
		return 0;
	case IO_TIMEOUT:
		errno = ETIMEDOUT;
		return -1;
	default:
		return -1;
	}
}

int door_command_write(struct door *d, const char *p, size_t n)
{
	return put(d->message, p, n);
}

void door_command_end(struct door *d, const struct envelope *e, struct door_answer *answer)
{
	struct broker_end end;
	int handed;

	close_fd(&d->message);
	handed = put(d->envelope, e->bytes, e->len);
	close_fd(&d->envelope);
	if (broker_wait(&d->broker, DOOR_PATIENCE_MS, &end) == -1)
		door_answer_set(answer,
			errno == ETIMEDOUT ? door_answer_text(DOOR_TIMEOUT) : "Zqq crashed (#4.3.0)");
	else
		answer_of_status(answer, end.status, d->errors);
	if (handed == -1 && answer->letter == 'K') /* it says yes to an envelope that it did not read */
		door_answer_set(answer, door_answer_text(DOOR_READ));
	close_fd(&d->errors);
}

void door_command_abort(struct door *d)
{
	struct broker_end end;

	close_fd(&d->message);
	close_fd(&d->envelope);
	if (broker_wait(&d->broker, DOOR_PATIENCE_MS, &end) == -1)
		errno = 0; /* nothing was handed in, whatever became of the program */
	close_fd(&d->errors);
}
