#include "net/ident.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

void ident_answer_init(struct ident_answer *a)
{
	memset(a, 0, sizeof *a);
	a->state = IDENT_BUSY;
}

static void feed_byte(struct ident_answer *a, char c)
{
	if (c == ' ' || c == '\t' || c == '\r')
		return;
	if (c == '\n') {
		a->state = IDENT_FOUND;
		return;
	}
	if (a->colons < 3) {
		a->colons += c == ':';
		return;
	}
	if (c < 0x21 || c > 0x7e) { /* it goes into an environment and a log */
		a->state = IDENT_NONE;
		return;
	}
	a->text[a->len++] = c;
	if (a->len == IDENT_TEXT - 1)
		a->state = IDENT_FOUND;
}

enum ident_state ident_feed(struct ident_answer *a, const char *p, size_t n)
{
	for (size_t i = 0; i < n && a->state == IDENT_BUSY; i++)
		feed_byte(a, p[i]);
	a->text[a->len] = '\0';
	return a->state;
}

int ident_open(struct ident *i, const struct addr *local, unsigned local_port, const struct addr *remote,
	unsigned remote_port)
{
	struct sockaddr_storage from, to;
	const socklen_t from_len = addr_to_sockaddr(local, 0, &from);
	const socklen_t to_len = addr_to_sockaddr(remote, IDENT_PORT, &to);
	int saved;

	memset(i, 0, sizeof *i);
	ident_answer_init(&i->answer);
	i->local_port = local_port;
	i->remote_port = remote_port;
	i->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (i->fd == -1)
		return -1;
	/* from the address that the client is connected to: its host knows no other connection */
	if (bind(i->fd, (const struct sockaddr *)&from, from_len) == 0 &&
		(connect(i->fd, (const struct sockaddr *)&to, to_len) == 0 || errno == EINPROGRESS))
		return 0;
	saved = errno;
	ident_close(i);
	errno = saved;
	return -1;
}

void ident_close(struct ident *i)
{
	if (i->fd != -1)
		close(i->fd);
	i->fd = -1;
}

struct pollfd ident_poll(const struct ident *i)
{
	return (struct pollfd){ .fd = i->fd, .events = i->asked ? POLLIN : POLLOUT };
}

static enum ident_state ask(struct ident *i)
{
	char memory[32];
	struct str line;

	str_init(&line, memory, sizeof memory);
	str_putu(&line, i->remote_port);
	str_puts(&line, " , ");
	str_putu(&line, i->local_port);
	str_puts(&line, "\r\n");
	/* a fresh connection takes these few bytes whole, or it failed */
	if (send(i->fd, line.s, line.len, MSG_NOSIGNAL) != (ssize_t)line.len)
		return IDENT_NONE;
	i->asked = true;
	return IDENT_BUSY;
}

enum ident_state ident_step(struct ident *i)
{
	char block[512];
	ssize_t n;

	if (!i->asked)
		return ask(i);
	n = recv(i->fd, block, sizeof block, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return IDENT_BUSY;
	if (n <= 0)
		return IDENT_NONE;
	return ident_feed(&i->answer, block, (size_t)n);
}
