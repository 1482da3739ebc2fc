/* clients line|quit|denied COUNT AT_ONCE PORT - connections to 127.0.0.1, as many at once as it is told.
 *
 *   line    reads what the server says to its end, at least a byte
 *   quit    reads a greeting, says QUIT, reads to the end: two replies, 220 and 221
 *   denied  reads to the end and must not get a byte
 *
 * One that does not go like this ends the program with 1: a server that fails fast is not fast. */
#include "bench.h"

#include <poll.h>
#include <stdbool.h>

enum { AT_ONCE_MAX = 256 };
enum manner { LINE, QUIT, DENIED };

struct client {
	bool connected;
	bool said_quit;
	size_t got;
	char text[1024];
};

static enum manner manner_of(const char *word)
{
	static const char *const words[] = { [LINE] = "line", [QUIT] = "quit", [DENIED] = "denied" };

	for (int i = LINE; i <= DENIED; i++)
		if (strcmp(word, words[i]) == 0)
			return (enum manner)i;
	give_up("clients: line, quit or denied");
}

static int open_one(const struct sockaddr_in *to, struct client *c)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd == -1)
		fail("socket");
	if (connect(fd, (const struct sockaddr *)to, sizeof *to) == -1 && errno != EINPROGRESS)
		fail("connect");
	c->said_quit = false;
	c->got = 0;
	return fd;
}

static bool begins(const char *text, size_t n, const char *with)
{
	return n >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static void check(const struct client *c, enum manner m)
{
	const char *second = memchr(c->text, '\n', c->got);
	size_t rest;

	if (m == LINE && c->got == 0)
		give_up("a connection brought nothing");
	if (m == DENIED && c->got > 0)
		give_up("a client that should be denied was not");
	if (m != QUIT)
		return;
	rest = second == NULL ? 0 : c->got - (size_t)(++second - c->text);
	if (!begins(c->text, c->got, "220") || rest == 0 || !begins(second, rest, "221"))
		give_up("a session was not 220 and 221");
}

/* False when the connection is over. */
static bool step(int fd, struct client *c, enum manner m)
{
	ssize_t n = recv(fd, c->text + c->got, sizeof c->text - c->got, 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n == -1 && !(errno == ECONNRESET && m == DENIED))
		fail("recv");
	if (n <= 0) {
		check(c, m);
		return false;
	}
	c->got += (size_t)n;
	if (c->got == sizeof c->text)
		give_up("the server says too much");
	if (m == QUIT && !c->said_quit && memchr(c->text, '\n', c->got) != NULL) {
		if (send(fd, "QUIT\r\n", 6, MSG_NOSIGNAL) != 6)
			fail("send");
		c->said_quit = true;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct client clients[AT_ONCE_MAX];
	struct pollfd fds[AT_ONCE_MAX];
	unsigned long count, at_once, opened = 0, live = 0;
	struct sockaddr_in to;
	enum manner m;

	if (argc != 5)
		give_up("usage: clients line|quit|denied count at_once port");
	m = manner_of(argv[1]);
	alarm(PATIENCE_S);
	count = number(argv[2]);
	at_once = number(argv[3]);
	if (at_once < 1 || at_once > AT_ONCE_MAX)
		give_up("clients: at_once is 1 to 256");
	to = loopback(argv[4]);
	for (unsigned long i = 0; i < at_once; i++)
		fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	do {
		for (unsigned long i = 0; i < at_once; i++)
			if (fds[i].fd == -1 && opened < count) {
				fds[i].fd = open_one(&to, &clients[i]);
				opened++;
				live++;
			}
		if (poll(fds, at_once, -1) == -1)
			fail("poll");
		for (unsigned long i = 0; i < at_once; i++)
			if (fds[i].fd != -1 && fds[i].revents != 0 && !step(fds[i].fd, &clients[i], m)) {
				close(fds[i].fd);
				fds[i].fd = -1;
				live--;
			}
	} while (live > 0 || opened < count);
	return 0;
}
