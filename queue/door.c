#include "queue/door.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/str.h"
#include "net/resident.h"

enum {
	WORDS_MAX = 16,
	COMMAND_MAX = 1024,
	ERROR_FD = 6,     /* netqmail, notqmail */
	OLD_ERROR_FD = 4, /* simscan and others */
	/* How long a queue program may take to read on, or to answer. No client waits longer than this for the
	 * reply to its final dot (10 minutes, RFC 5321 section 4.5.3.2.6). */
	PATIENCE_MS = 20 * 60 * 1000
};

/* ---- the broker ---------------------------------------------------------------------------------------- */

struct command {
	char text[COMMAND_MAX];
	char *words[WORDS_MAX + 1];
	const char **files;
};

/* What the broker says: first how the start went, with the descriptors, then how the program ended. */
struct report {
	int error;  /* errno of the start, 0 */
	int status; /* of waitpid */
	pid_t pid;
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
	if (count == 0)
		return "queue command is empty";
	c->files = spawn_search(c->words[0], getenv("PATH"));
	return c->files == NULL ? "no memory for the queue command" : NULL;
}

enum { MESSAGE, ENVELOPE, ERRORS, PIPES };

static void close_ends(int pipes[PIPES][2], int end)
{
	for (int i = 0; i < PIPES; i++)
		if (pipes[i][end] != -1)
			close(pipes[i][end]);
}

/* Our end is told apart from the program's by its own flags: only ours does not block. */
static int open_pipes(int pipes[PIPES][2])
{
	for (int i = 0; i < PIPES; i++) {
		int ours = i == ERRORS ? 0 : 1;

		if (pipe2(pipes[i], O_CLOEXEC) == -1 || fcntl(pipes[i][ours], F_SETFL, O_NONBLOCK) == -1)
			return -1;
	}
	return 0;
}

static int send_report(int sock, const struct report *r, const int *fds, size_t count)
{
	struct iovec iov = { .iov_base = (void *)r, .iov_len = sizeof *r };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(PIPES * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (count > 0) {
		m.msg_control = control;
		/* socklen_t or size_t: the C libraries differ */
		m.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof *fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL) == -1 ? -1 : 0;
}

/* Runs the command once. The program holds the only reading ends and the caller the only writing ones: if
 * either dies the other sees it. */
static int broker_run(const struct command *c, char *const envp[], int sock)
{
	int pipes[PIPES][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct spawn s = { .files = c->files, .argv = c->words, .envp = envp };
	struct report r = { .error = 0 };
	int ours[PIPES], sent;

	if (open_pipes(pipes) == -1) {
		r.error = errno;
		close_ends(pipes, 0);
		close_ends(pipes, 1);
		return send_report(sock, &r, NULL, 0);
	}
	spawn_fd(&s, pipes[MESSAGE][0], 0);
	spawn_fd(&s, pipes[ENVELOPE][0], 1);
	spawn_fd(&s, pipes[ERRORS][1], OLD_ERROR_FD);
	spawn_fd(&s, pipes[ERRORS][1], ERROR_FD);
	r.pid = spawn_run(&s, &r.error);
	if (r.pid == -1)
		r.error = errno;
	ours[MESSAGE] = pipes[MESSAGE][1];
	ours[ENVELOPE] = pipes[ENVELOPE][1];
	ours[ERRORS] = pipes[ERRORS][0];
	sent = send_report(sock, &r, ours, r.error == 0 ? PIPES : 0);
	close_ends(pipes, 0);
	close_ends(pipes, 1);
	while (r.pid != -1 && waitpid(r.pid, &r.status, 0) == -1 && errno == EINTR)
		;
	if (sent == -1 || r.error != 0)
		return sent;
	return send_report(sock, &r, NULL, 0);
}

/* A request: 'r', or 'e' with the variables of the connection, in a process that serves one after another. */
struct request {
	char kind;
	char block[RESIDENT_BLOCK];
};

/* Our own environment with theirs in place of those. NULL: something else is among them. The caller is locked
 * and we are not: it may not set what would make the queue program run another one. */
static char **merge(struct request *q, size_t n)
{
	enum { VARS = 2 * RESIDENT_VARS };
	static char *vector[VARS + 1];
	size_t count = 0;

	if (!resident_decode(q->block, n, vector))
		return NULL;
	for (; vector[count] != NULL; count++)
		if (!resident_of_connection(vector[count]))
			return NULL;
	for (char **v = environ; *v != NULL; v++)
		if (!resident_of_connection(*v) && count < VARS)
			vector[count++] = *v;
	vector[count] = NULL;
	return vector;
}

static char **environment(struct request *q, ssize_t n)
{
	if (n == 1 && q->kind == 'r')
		return environ;
	return n > 1 && q->kind == 'e' ? merge(q, (size_t)n - 1) : NULL;
}

static _Noreturn void broker_main(const struct command *c, int sock, int null_log)
{
	static struct request q;
	char **envp;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* The connection is not ours: while we held it the client would not see its end. */
	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 || (null_log && dup2(null, 2) == -1))
		_exit(1);
	/* Nor is what our caller keeps from its programs: its server would not see its end. */
	for (int fd = 3; fd < sock; fd++)
		if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0)
			close(fd); /* or it is not open: nothing happens */
	while ((envp = environment(&q, recv(sock, &q, sizeof q, 0))) != NULL)
		if (broker_run(c, envp, sock) == -1)
			break;
	_exit(0);
}

const char *door_open(struct door *d, const char *text, int null_log)
{
	struct command c;
	const char *wrong;
	int pair[2];
	pid_t pid;

	*d = (struct door){ .broker = -1, .message = -1, .envelope = -1, .errors = -1 };
	if (strncmp(text, "unix:", 5) == 0)
		return "queue sockets are not spoken by this version; name a command";
	wrong = parse_command(&c, text);
	if (wrong != NULL)
		return wrong;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return "no socket for the queue's broker";
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		broker_main(&c, pair[1], null_log);
	}
	close(pair[1]);
	free(c.files);
	if (pid == -1) {
		close(pair[0]);
		return "no process for the queue's broker";
	}
	d->broker = pair[0];
	d->broker_pid = pid;
	return NULL;
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

/* fds may be NULL. -1 with errno: the broker is gone or says nothing in time. */
static int read_report(struct door *d, struct report *r, int *fds)
{
	struct pollfd p = { .fd = d->broker, .events = POLLIN };
	struct iovec iov = { .iov_base = r, .iov_len = sizeof *r };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(PIPES * sizeof(int))];
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
	};
	const struct cmsghdr *c;
	ssize_t n;

	do {
		int ready = poll(&p, 1, PATIENCE_MS);

		if (ready == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		n = ready == -1 ? -1 : recvmsg(d->broker, &m, MSG_CMSG_CLOEXEC);
	} while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof *r) {
		errno = EPIPE;
		return -1;
	}
	c = CMSG_FIRSTHDR(&m);
	if (fds != NULL && r->error == 0) {
		if (c == NULL || c->cmsg_len != CMSG_LEN(PIPES * sizeof *fds)) {
			errno = EPROTO;
			return -1;
		}
		memcpy(fds, CMSG_DATA(c), PIPES * sizeof *fds);
	}
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* After this every message is refused: what the broker does next would answer the wrong question. */
static void give_up(struct door *d)
{
	close_fd(&d->broker);
	close_fd(&d->message);
	close_fd(&d->envelope);
	close_fd(&d->errors);
}

static int request(const struct door *d)
{
	static struct request q;
	static char *vector[RESIDENT_VARS + 1];
	size_t count = 0;
	ssize_t n;

	if (!d->resident)
		return send(d->broker, "r", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
	for (char **v = environ; *v != NULL && count < RESIDENT_VARS; v++)
		if (resident_of_connection(*v))
			vector[count++] = *v;
	vector[count] = NULL;
	q.kind = 'e';
	n = resident_encode(vector, q.block, sizeof q.block);
	if (n == -1)
		return -1;
	n = send(d->broker, &q, (size_t)n + 1, MSG_NOSIGNAL);
	memset(&q, 0, n == -1 ? sizeof q : (size_t)n); /* it is the client's */
	return n == -1 ? -1 : 0;
}

int door_begin(struct door *d, struct door_answer *answer)
{
	struct report r;
	int fds[PIPES];

	if (d->broker != -1 && (request(d) == -1 || read_report(d, &r, fds) == -1))
		give_up(d);
	if (d->broker == -1) {
		answer_set(answer, "Zqqt failure (#4.3.0)"); /* qmail-smtpd's words for "cannot start" */
		return -1;
	}
	if (r.error != 0) {
		answer_set(answer, text_of_code(DOOR_NO_EXEC));
		return -1;
	}
	d->message = fds[MESSAGE];
	d->envelope = fds[ENVELOPE];
	d->errors = fds[ERRORS];
	d->pid = r.pid;
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
	struct report r;
	int handed;

	close_fd(&d->message);
	handed = put(d->envelope, e->bytes, e->len);
	close_fd(&d->envelope);
	if (read_report(d, &r, NULL) == -1) {
		answer_set(
			answer, errno == ETIMEDOUT ? text_of_code(DOOR_TIMEOUT) : "Zqq crashed (#4.3.0)");
		give_up(d);
		return;
	}
	answer_of_status(answer, r.status, d->errors);
	if (handed == -1 && answer->letter == 'K') /* it says yes to an envelope that it did not read */
		answer_set(answer, text_of_code(DOOR_READ));
	close_fd(&d->errors);
}

void door_abort(struct door *d)
{
	struct report r;

	close_fd(&d->message);
	close_fd(&d->envelope);
	if (read_report(d, &r, NULL) == -1)
		give_up(d);
	close_fd(&d->errors);
}

void door_close(struct door *d)
{
	if (d->broker == -1)
		return; /* given up: it may still wait for its program */
	close_fd(&d->broker);
	while (waitpid(d->broker_pid, NULL, 0) == -1 && errno == EINTR)
		;
}

/* ---- the side of the queue program --------------------------------------------------------------------- */

static ssize_t read_some(int fd, char *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got == -1 && errno == EINTR);
	return got;
}

ssize_t door_read_message(char *p, size_t n)
{
	return read_some(0, p, n);
}

enum door_exit door_read_envelope(struct envelope *e)
{
	size_t have = 0;

	for (;;) {
		ssize_t n;

		if (have == e->cap) {
			door_tell('D', "envelope is larger than this queue takes (#5.5.3)");
			return DOOR_CUSTOM;
		}
		n = read_some(1, e->bytes + have, e->cap - have);
		if (n <= 0)
			return DOOR_READ; /* nobody finished it: nothing is handed in */
		have += (size_t)n;
		switch (envelope_check(e, have)) {
		case ENVELOPE_WHOLE:
			return DOOR_KEPT;
		case ENVELOPE_BAD:
			return DOOR_FORMAT;
		case ENVELOPE_TOO_LONG:
			return DOOR_ADDRESS_TOO_LONG;
		case ENVELOPE_CUT:
			break;
		}
	}
}

void door_tell(char letter, const char *text)
{
	char line[DOOR_TEXT];
	struct str s;

	str_init(&s, line, sizeof line);
	str_putc(&s, letter);
	str_puts(&s, text);
	/* Whoever has no descriptor 6 may have 4; whoever has neither reads the exit code alone. */
	if (fs_write_all(ERROR_FD, s.s, s.len) == -1 && fs_write_all(OLD_ERROR_FD, s.s, s.len) == -1)
		return;
}
