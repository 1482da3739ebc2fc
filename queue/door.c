/* The side that hands in. */
#include "queue/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "net/resident.h"
#include "queue/door_fds.h"

/* How long a queue program may take to read on, or to answer. No client waits longer than this for the reply to
 * its final dot (10 minutes, RFC 5321 section 4.5.3.2.6). */
enum { PATIENCE_MS = 20 * 60 * 1000 };

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

const char *door_open(struct door *d, const char *command, int null_log)
{
	struct command c;
	const struct broker_program program = { .argv = c.words,
		.pipes = pipes,
		.pipe_count = PIPES,
		.timeout_ms = -1,
		.null_log = null_log != 0,
		.settable = resident_of_connection };
	const char *wrong;

	*d = (struct door){ .broker = { .sock = -1 }, .message = -1, .envelope = -1, .errors = -1 };
	if (strncmp(command, "unix:", 5) == 0)
		return "queue sockets are not spoken by this version; name a command";
	wrong = parse_command(&c, command);
	return wrong != NULL ? wrong : broker_open(&d->broker, &program);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static void answer_set(struct door_answer *a, const char *text)
{
	struct str s;

	a->letter = text[0];
	str_init(&s, a->text, sizeof a->text);
	str_puts(&s, text + 1);
}

static const char *text_of_code(int code)
{
	static const struct {
		int code;
		const char *text;
	} known[] = {
		{ 0, "K" },
		{ 11, "Denvelope address too long for qq (#5.1.3)" },
		{ 115, "Denvelope address too long for qq (#5.1.3)" },
		{ 31, "Dmail server permanently rejected message (#5.3.0)" },
		{ 51, "Zqq out of memory (#4.3.0)" },
		{ 52, "Zqq timeout (#4.3.0)" },
		{ 53, "Zqq write error or disk full (#4.3.0)" },
		{ 54, "Zqq read error (#4.3.0)" },
		{ 55, "Zqq unable to read configuration (#4.3.0)" },
		{ 56, "Zqq trouble making network connection (#4.3.0)" },
		{ 61, "Zqq trouble in home directory (#4.3.0)" },
		{ 62, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 63, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 64, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 65, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 66, "Zqq trouble creating files in queue (#4.3.0)" },
		{ 71, "Zmail server temporarily rejected message (#4.3.0)" },
		{ 72, "Zconnection to mail server timed out (#4.4.1)" },
		{ 73, "Zconnection to mail server rejected (#4.4.1)" },
		{ 74, "Zcommunication with mail server failed (#4.4.2)" },
		{ 81, "Zqq internal bug (#4.3.0)" },
		{ 91, "Zqq internal bug (#4.3.0)" },
		{ 120, "Zunable to exec qq (#4.3.0)" },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].code == code)
			return known[i].text;
	return code >= 11 && code <= 40 ? "Dqq permanent problem (#5.3.0)"
					: "Zqq temporary problem (#4.3.0)";
}

/* What the program wrote to descriptor 6, as far as a reply may carry it. */
static size_t read_errors(int fd, char *text, size_t cap)
{
	ssize_t n = read(fd, text, cap - 1); /* the program has ended: what it wrote is in the pipe */
	size_t len = n > 0 ? (size_t)n : 0;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	text[len] = '\0';
	return len;
}

static void answer_of_status(struct door_answer *a, int status, int errors)
{
	char custom[DOOR_TEXT];

	if (!WIFEXITED(status)) {
		answer_set(a, "Zqq crashed (#4.3.0)");
		return;
	}
	if (WEXITSTATUS(status) == DOOR_CUSTOM && read_errors(errors, custom, sizeof custom) > 2) {
		answer_set(a, custom);
		a->letter = custom[0] == 'D' ? 'D' : 'Z';
		return;
	}
	answer_set(a, text_of_code(WEXITSTATUS(status)));
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

int door_begin(struct door *d, struct door_answer *answer)
{
	int ends[PIPES];

	if (broker_start(&d->broker, variables(d), PATIENCE_MS, ends, &d->pid) == -1) {
		if (d->broker.sock == -1)
			answer_set(answer,
				"Zqqt failure (#4.3.0)"); /* qmail-smtpd's words for "cannot start" */
		else
			answer_set(answer, text_of_code(DOOR_NO_EXEC));
		return -1;
	}
	d->message = ends[MESSAGE];
	d->envelope = ends[ENVELOPE];
	d->errors = ends[ERRORS];
	return 0;
}

static int put(int fd, const char *p, size_t n)
{
	switch (io_write_own(fd, PATIENCE_MS, p, n)) {
	case IO_OK:
		return 0;
	case IO_TIMEOUT:
		errno = ETIMEDOUT;
		return -1;
	default:
		return -1;
	}
}

int door_write(struct door *d, const char *p, size_t n)
{
	return put(d->message, p, n);
}

void door_end(struct door *d, const struct envelope *e, struct door_answer *answer)
{
	struct broker_end end;
	int handed;

	close_fd(&d->message);
	handed = put(d->envelope, e->bytes, e->len);
	close_fd(&d->envelope);
	if (broker_wait(&d->broker, PATIENCE_MS, &end) == -1)
		answer_set(
			answer, errno == ETIMEDOUT ? text_of_code(DOOR_TIMEOUT) : "Zqq crashed (#4.3.0)");
	else
		answer_of_status(answer, end.status, d->errors);
	if (handed == -1 && answer->letter == 'K') /* it says yes to an envelope that it did not read */
		answer_set(answer, text_of_code(DOOR_READ));
	close_fd(&d->errors);
}

void door_abort(struct door *d)
{
	struct broker_end end;

	close_fd(&d->message);
	close_fd(&d->envelope);
	if (broker_wait(&d->broker, PATIENCE_MS, &end) == -1)
		errno = 0; /* nothing was handed in, whatever became of the program */
	close_fd(&d->errors);
}

void door_close(struct door *d)
{
	broker_close(&d->broker);
}
