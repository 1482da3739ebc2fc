/* feed smtp|refused|raw MEGABYTES PORT - sends the lines of one large message, and nothing but them takes time.
 *
 *   smtp     inside a session, as DATA
 *   refused  the same, and it is too large: 552 at its end
 *   raw      bare, to a program that only reads
 *
 * The lines are those of a base64 attachment: 76 bytes, CR LF. */
#include "bench.h"

enum { LINE = 78, LINES = 840, BLOCK = LINE * LINES /* just below the 64 KiB that smtpd reads at once */ };

static void send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent == -1)
			fail("send");
		p += sent;
		n -= (size_t)sent;
	}
}

/* Reads one reply of one or more lines. */
static void expect(FILE *in, const char *code)
{
	char line[1024];

	do
		if (fgets(line, sizeof line, in) == NULL || strncmp(line, code, 3) != 0)
			give_up("feed: not the reply that was expected");
	while (line[3] == '-');
}

static void command(int fd, FILE *in, const char *text, const char *code)
{
	send_all(fd, text, strlen(text));
	expect(in, code);
}

static void send_lines(int fd, unsigned long bytes)
{
	static char block[BLOCK];

	for (size_t i = 0; i < BLOCK; i++)
		block[i] = i % LINE == LINE - 2 ? '\r' : i % LINE == LINE - 1 ? '\n' : 'A';
	for (unsigned long sent = 0; sent < bytes; sent += BLOCK)
		send_all(fd, block, BLOCK);
}

int main(int argc, char **argv)
{
	static const char header[] = "Subject: large\r\n\r\n";
	struct sockaddr_in to;
	unsigned long bytes;
	FILE *in;
	int fd;

	if (argc != 4)
		give_up("usage: feed smtp|refused|raw megabytes port");
	bytes = number(argv[2]) * 1000000;
	alarm(PATIENCE_S);
	to = loopback(argv[3]);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd == -1 || connect(fd, (const struct sockaddr *)&to, sizeof to) == -1)
		fail("connect");
	in = fdopen(fd, "r");
	if (in == NULL)
		fail("fdopen");
	if (strcmp(argv[1], "raw") != 0) {
		expect(in, "220");
		command(fd, in, "EHLO client.example\r\n", "250");
		command(fd, in, "MAIL FROM:<s@client.example>\r\n", "250");
		command(fd, in, "RCPT TO:<u@example.org>\r\n", "250");
		command(fd, in, "DATA\r\n", "354");
		send_all(fd, header, sizeof header - 1);
		send_lines(fd, bytes);
		command(fd, in, ".\r\n", strcmp(argv[1], "refused") == 0 ? "552" : "250");
		command(fd, in, "QUIT\r\n", "221");
	} else
		send_lines(fd, bytes);
	shutdown(fd, SHUT_WR);
	if (fgetc(in) != EOF)
		give_up("feed: more replies than expected");
	return 0;
}
