#include "queue/door_socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"
#include "queue/door_wire.h"

/* ---- the connection ------------------------------------------------------------------------------------ */

static const char *sentence(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return "there is no such socket: is the queue server running?";
	case ECONNREFUSED:
		return "nobody listens on this socket: is the queue server running?";
	case EACCES:
	case EPERM:
		return "this socket is not for this user";
	case EAGAIN:
		return "too many wait at this socket";
	case ENAMETOOLONG:
		return "the path of this socket is too long: up to 107 bytes";
	default:
		return "this socket cannot be connected to";
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const size_t n = strlen(path);
	int fd, saved;

	if (n >= sizeof at.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(at.sun_path, path, n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

const char *door_socket_open(struct door_socket *d, const char *path)
{
	d->last = 0;
	d->begun = false;
	d->failed = 0;
	d->len = d->used = 0;
	d->fd = connect_to(path);
	return d->fd == -1 ? sentence(errno) : NULL;
}

void door_socket_close(struct door_socket *d)
{
	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
}

bool door_socket_lost(const struct door_socket *d)
{
	struct pollfd p = { .fd = d->fd, .events = POLLIN | POLLRDHUP };

	return d->fd == -1 || poll(&p, 1, 0) != 0;
}

uint64_t door_socket_next(const struct door_socket *d)
{
	return d->last != 0 ? d->last + 1 : (uint64_t)getpid();
}

/* ---- sending ------------------------------------------------------------------------------------------- */

/* False with errno: it did not come to pass. */
static bool await(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do
		n = poll(&p, 1, DOOR_PATIENCE_MS);
	while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

static int put_out(struct door_socket *d, const char *p, size_t n)
{
	if (d->failed !=
		0) { /* a part of a frame may be on its way: nothing after it would be understood */
		errno = d->failed;
		return -1;
	}
	d->begun = true;
	while (n > 0) {
		const ssize_t w = send(d->fd, p, n, MSG_NOSIGNAL);

		if (w > 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno != EINTR && (errno != EAGAIN || !await(d->fd, POLLOUT))) {
			d->failed = errno;
			return -1;
		}
	}
	return 0;
}

static int flush(struct door_socket *d)
{
	const size_t n = d->len;

	d->len = 0;
	return n == 0 ? 0 : put_out(d, d->gather, n);
}

/* Gathered when it is short, else sent from where it is. */
static int put(struct door_socket *d, const char *p, size_t n)
{
	if (n > sizeof d->gather - d->len && flush(d) == -1)
		return -1;
	if (n > sizeof d->gather / 2)
		return flush(d) == -1 ? -1 : put_out(d, p, n);
	memcpy(d->gather + d->len, p, n);
	d->len += n;
	if (d->used < d->len)
		d->used = d->len;
	return 0;
}

static int put_frame(struct door_socket *d, char letter, const char *p, size_t n)
{
	char head[DOOR_WIRE_HEAD];

	if (d->fd == -1) {
		errno = EPIPE;
		return -1;
	}
	return put(d, head, door_wire_head(head, letter, n)) == -1 || put(d, p, n) == -1 ? -1
											 : put(d, ",", 1);
}

/* ---- the answer ---------------------------------------------------------------------------------------- */

struct heard {
	struct door_wire wire;
	size_t len;
	char text[DOOR_TEXT];
};

/* More of the answer than it has is not for us to read: it would be no answer to anything. */
static enum door_wire_event hear(struct heard *h, const char *p, size_t n)
{
	enum door_wire_event e = DOOR_WIRE_MORE;
	size_t used;

	for (; n > 0; p += used, n -= used) {
		e = door_wire_next(&h->wire, p, n, &used);
		if (e == DOOR_WIRE_BAD || (e == DOOR_WIRE_END && used < n))
			return DOOR_WIRE_BAD;
		if (e == DOOR_WIRE_BYTES) {
			const size_t room = sizeof h->text - h->len;
			const size_t part = h->wire.n < room ? h->wire.n : room;

			memcpy(h->text + h->len, h->wire.p, part);
			h->len += part;
		}
	}
	return e;
}

/* 0, -1 with errno. patient: it is waited for. */
static int read_answer(const struct door_socket *d, bool patient, struct door_answer *answer)
{
	struct heard h = { .len = 0 };
	char bytes[DOOR_TEXT];

	door_wire_init(&h.wire, DOOR_WIRE_OF_SERVER);
	for (;;) {
		ssize_t n;

		if (patient && !await(d->fd, POLLIN))
			return -1;
		n = read(d->fd, bytes, sizeof bytes);
		if (n == -1 && (errno == EINTR || (errno == EAGAIN && patient)))
			continue;
		if (n <= 0) {
			errno = n == 0 ? EPIPE : errno;
			return -1;
		}
		switch (hear(&h, bytes, (size_t)n)) {
		case DOOR_WIRE_END:
			door_answer_take(answer, h.wire.letter, h.text, h.len);
			return 0;
		case DOOR_WIRE_BAD:
			errno = EPROTO;
			return -1;
		default:
			break;
		}
	}
}

/* "ok 1763930000 qp 4711" */
static uint64_t number_of(const char *text)
{
	static const char mark[] = " qp ";
	const char *at = strstr(text, mark);
	unsigned long n = 0;

	if (at != NULL)
		(void)num_leading(at + strlen(mark), strlen(at + strlen(mark)), &n);
	return n;
}

/* What the server said before it closed, if it refuses; else what is wrong with the connection. */
static void give_up(struct door_socket *d, struct door_answer *answer, const char *otherwise)
{
	if (d->fd == -1 || read_answer(d, false, answer) == -1 || answer->letter == 'K')
		door_answer_set(answer, otherwise);
	door_socket_close(d);
}

/* ---- a message ----------------------------------------------------------------------------------------- */

static void wipe(struct door_socket *d)
{
	explicit_bzero(d->gather, d->used);
	d->len = d->used = 0;
	d->begun = false;
}

int door_socket_begin(struct door_socket *d, struct door_answer *answer)
{
	if (!door_socket_lost(d))
		return 0;
	give_up(d, answer, "Zqqt failure (#4.3.0)"); /* qmail-smtpd's words for "cannot start" */
	return -1;
}

int door_socket_write(struct door_socket *d, const char *p, size_t n)
{
	enum { MOST = DOOR_WIRE_FRAME - 1 };

	for (; n > MOST; p += MOST, n -= MOST)
		if (put_frame(d, 'M', p, MOST) == -1)
			return -1;
	return n == 0 ? 0 : put_frame(d, 'M', p, n);
}

static void hand_over(struct door_socket *d, const struct envelope *e, struct door_answer *answer)
{
	if (put_frame(d, 'E', e->bytes, e->len) == -1 || flush(d) == -1 ||
		read_answer(d, true, answer) == -1)
		give_up(d, answer, door_answer_text(errno == ETIMEDOUT ? DOOR_TIMEOUT : DOOR_LOST));
	else if (answer->letter == 'K')
		d->last = number_of(answer->text);
}

void door_socket_end(struct door_socket *d, const struct envelope *e, struct door_answer *answer)
{
	if (e->len > DOOR_WIRE_ENVELOPE) {
		door_socket_abort(d);
		door_answer_set(answer, "Denvelope is larger than this queue takes (#5.5.3)");
		return;
	}
	hand_over(d, e, answer);
	wipe(d);
}

void door_socket_abort(struct door_socket *d)
{
	if (!d->begun)
		d->len = 0; /* the server has not heard of it */
	else if (put_frame(d, 'A', "", 0) == -1 || flush(d) == -1)
		door_socket_close(d); /* nothing was handed in, whatever became of the server */
	wipe(d);
}
