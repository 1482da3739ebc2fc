#include "smtpd/milter_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/num.h"
#include "net/addr.h"
#include "net/dial.h"

/* ---- where it is --------------------------------------------------------------------------------------- */

static const char *parse_path(struct milter_place *p, const char *path)
{
	const size_t n = strlen(path);

	if (path[0] != '/')
		return "the path of a socket begins with a slash";
	if (n >= sizeof p->to.unix_path.sun_path)
		return "the path of a socket has 107 bytes at most";
	p->to.unix_path.sun_family = AF_UNIX;
	memcpy(p->to.unix_path.sun_path, path, n + 1);
	p->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	return NULL;
}

const char *milter_place_inet(struct milter_place *p, const char *text, const char *host, const char *port)
{
	unsigned long number;
	struct addr a;

	*p = (struct milter_place){ .text = text };
	if (num_parse(port, 1, 65535, &number) != NULL)
		return "the port is a number from 1 to 65535";
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (addr_parse(host, &a) != NULL)
		return "the host is an address or localhost";
	p->size = addr_to_sockaddr(&a, (unsigned)number, &p->to.inet);
	return NULL;
}

/* PORT@HOST */
static const char *parse_inet(struct milter_place *p, const char *text, const char *port)
{
	const char *at = strchr(port, '@');
	const size_t n = at == NULL ? 0 : (size_t)(at - port);
	char digits[8];

	if (n == 0 || n >= sizeof digits)
		return "it is inet:PORT@HOST";
	memcpy(digits, port, n);
	digits[n] = '\0';
	return milter_place_inet(p, text, at + 1, digits);
}

const char *milter_place_parse(struct milter_place *p, const char *text)
{
	const size_t prefix = strcspn(text, ":/");

	*p = (struct milter_place){ .text = text };
	if (text[prefix] != ':')
		return parse_path(p, text);
	if (strncmp(text, "unix:", 5) == 0)
		return parse_path(p, text + 5);
	if (strncmp(text, "local:", 6) == 0)
		return parse_path(p, text + 6);
	if (strncmp(text, "inet:", 5) == 0)
		return parse_inet(p, text, text + 5);
	if (strncmp(text, "inet6:", 6) == 0)
		return parse_inet(p, text, text + 6);
	return "it is unix:PATH or inet:PORT@HOST";
}

/* ---- connect ------------------------------------------------------------------------------------------- */

_Noreturn void milter_link_fail(const struct milter_link *l, const char *why)
{
	die(EXIT_TEMPORARY, "milter %s: %s", l->place->text, why);
}

/* A Unix socket whose queue is full says EAGAIN; an Internet one is on its way with EINPROGRESS. */
static int dial_once(int fd, const struct milter_place *p, int64_t deadline_ms)
{
	while (connect(fd, &p->to.any, p->size) == -1 && errno != EISCONN) {
		if (errno == EAGAIN && clock_left_ms(deadline_ms) > 0) {
			(void)poll(NULL, 0, 50);
			continue;
		}
		if (errno != EINPROGRESS && errno != EALREADY && errno != EINTR)
			return -1;
		if (dial_finish(fd, clock_left_ms(deadline_ms)) == -1)
			return -1;
	}
	return 0;
}

/* ---- packets ------------------------------------------------------------------------------------------- */

void milter_link_begin(struct milter_link *l, struct milter_out *o, enum milter_command command)
{
	milter_begin(o, l->out_bytes + l->used, sizeof l->out_bytes - l->used, command);
}

void milter_link_end(struct milter_link *l, struct milter_out *o)
{
	if (!milter_end(o))
		milter_link_fail(l, "a command is too long");
	l->used += o->len;
}

void milter_link_send(struct milter_link *l, int timeout_ms)
{
	enum io state;

	/* it would be taken for the answer to what comes now */
	if (l->in.to - l->in.from > l->skipped)
		milter_link_fail(l, "it answers what it was not asked");
	state = io_write_own(l->fd, timeout_ms, l->out_bytes, l->used);
	l->used = 0;
	if (state == IO_TIMEOUT)
		milter_link_fail(l, "it reads nothing: timed out");
	if (state != IO_OK)
		milter_link_fail(l, errtext(errno));
}

/* The next packet without its length. */
static const char *receive(struct milter_link *l, int64_t deadline_ms, size_t *len)
{
	enum milter_frame frame;

	l->in.from += l->skipped;
	l->skipped = 0;
	while ((frame = milter_frame(l->in.buf + l->in.from, l->in.to - l->in.from, len)) ==
		MILTER_FRAME_MORE) {
		l->in.timeout_ms = clock_left_ms(deadline_ms);
		if (io_fill(&l->in) == IO_OK)
			continue;
		if (l->in.state == IO_TIMEOUT)
			milter_link_fail(l, "it does not answer: timed out");
		milter_link_fail(l, l->in.state == IO_EOF ? "it closed the connection" : errtext(errno));
	}
	if (frame == MILTER_FRAME_BAD)
		milter_link_fail(l, "a packet of a length that none has");
	l->skipped = *len + 4;
	return l->in.buf + l->in.from + 4;
}

void milter_link_receive(struct milter_link *l, int64_t deadline_ms, struct milter_answer_of *a)
{
	size_t len;
	const char *p = receive(l, deadline_ms, &len);
	const char *wrong = milter_parse(p, len, a);

	if (wrong != NULL)
		milter_link_fail(l, wrong);
}

static void agree(struct milter_link *l, const struct milter_options *offer, int64_t deadline_ms)
{
	struct milter_out o;
	const char *p, *wrong;
	size_t len;

	milter_link_begin(l, &o, MILTER_OPTIONS);
	milter_put_options(&o, offer);
	milter_link_end(l, &o);
	milter_link_send(l, l->connect_ms);
	p = receive(l, deadline_ms, &len);
	if (p[0] != (char)MILTER_OPTIONS)
		milter_link_fail(l, "it does not answer with its options: is it a milter?");
	wrong = milter_agree(offer, p + 1, len - 1, &l->agreed);
	if (wrong != NULL)
		milter_link_fail(l, wrong);
}

void milter_link_open(struct milter_link *l, const struct milter_options *offer)
{
	const int64_t deadline_ms = clock_ms() + l->connect_ms;

	l->used = l->skipped = 0;
	l->fd = socket(l->place->to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	l->in = (struct io_reader){ .fd = l->fd, .buf = l->in_bytes, .cap = sizeof l->in_bytes };
	if (l->fd == -1 || dial_once(l->fd, l->place, deadline_ms) == -1)
		milter_link_fail(l, errtext(errno));
	agree(l, offer, deadline_ms);
}

void milter_link_close(struct milter_link *l)
{
	static const char quit[] = { 0, 0, 0, 1, (char)MILTER_QUIT };

	if (l->fd == -1)
		return;
	(void)io_write_own(l->fd, 0, quit, sizeof quit);
	close(l->fd);
	l->fd = -1;
}
