/* The side that hands in. */
#include "queue/door.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "queue/door_broker.h"

/* How long a queue program may take to read on, or to answer. No client waits longer than this for the reply to
 * its final dot (10 minutes, RFC 5321 section 4.5.3.2.6). */
enum { PATIENCE_MS = 20 * 60 * 1000 };

const char *door_open(struct door *d, const char *command, int null_log)
{
	*d = (struct door){ .broker = -1, .message = -1, .envelope = -1, .errors = -1 };
	if (strncmp(command, "unix:", 5) == 0)
		return "queue sockets are not spoken by this version; name a command";
	return broker_start(command, null_log, &d->broker, &d->broker_pid);
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
