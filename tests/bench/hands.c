/* hands full|resumed COUNT AT_ONCE PORT - SMTP sessions with STARTTLS: greeting, EHLO, STARTTLS, handshake, EHLO,
 * QUIT, the end. resumed: each process offers the ticket of its former session, and all but the first are
 * resumed, else it gives up. No certificate is judged. One handshake more comes before all: OpenSSL is set up once, not
 * in each process. */
#include "bench.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/wait.h>

struct line {
	int fd;
	SSL *ssl; /* NULL: in clear */
	size_t got;
	char text[2048];
};

static _Noreturn void give_up_ssl(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static int receive(struct line *l, char *p, size_t n)
{
	return l->ssl != NULL ? SSL_read(l->ssl, p, (int)n) : (int)recv(l->fd, p, n, 0);
}

static void say(struct line *l, const char *text)
{
	const int n = (int)strlen(text);

	if ((l->ssl != NULL ? SSL_write(l->ssl, text, n)
			    : (int)send(l->fd, text, (size_t)n, MSG_NOSIGNAL)) != n)
		give_up("a client could not speak");
}

/* One reply, of however many lines. */
static void hear(struct line *l, const char *code)
{
	l->got = 0;
	for (;;) {
		const char *at = l->text, *end;

		while ((end = memchr(at, '\n', l->got - (size_t)(at - l->text))) != NULL) {
			if (strncmp(at, code, 3) != 0)
				give_up("a reply is another one than expected");
			if (at[3] == ' ')
				return;
			at = end + 1;
		}
		if (l->got == sizeof l->text)
			give_up("a reply is too long");
		const int n = receive(l, l->text + l->got, sizeof l->text - l->got);

		if (n <= 0)
			give_up_ssl("the server went away");
		l->got += (size_t)n;
	}
}

static int dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || connect(fd, (const struct sockaddr *)to, sizeof *to) == -1)
		fail("connect");
	return fd;
}

/* Returns the session to be offered next. */
static SSL_SESSION *shake(SSL_CTX *context, const struct sockaddr_in *to, SSL_SESSION *former)
{
	struct line l = { .fd = dial(to) };
	SSL_SESSION *next;
	char byte;

	hear(&l, "220");
	say(&l, "EHLO client.example\r\n");
	hear(&l, "250");
	say(&l, "STARTTLS\r\n");
	hear(&l, "220");
	l.ssl = SSL_new(context);
	if (l.ssl == NULL || SSL_set_fd(l.ssl, l.fd) != 1)
		give_up_ssl("SSL_new");
	if (former != NULL)
		SSL_set_session(l.ssl, former);
	if (SSL_connect(l.ssl) != 1)
		give_up_ssl("no handshake");
	say(&l, "EHLO client.example\r\n");
	hear(&l, "250");
	if (former != NULL && !SSL_session_reused(l.ssl))
		give_up("a session was not resumed");
	say(&l, "QUIT\r\n");
	hear(&l, "221");
	while (SSL_read(l.ssl, &byte, 1) > 0) /* tickets of TLS 1.3 come with what is read */
		;
	next = SSL_get1_session(l.ssl);
	SSL_shutdown(l.ssl);
	SSL_free(l.ssl);
	close(l.fd);
	if (former != NULL)
		SSL_SESSION_free(former);
	return next;
}

static SSL_CTX *make_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL)
		give_up_ssl("SSL_CTX_new");
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	return context;
}

static void client(SSL_CTX *context, unsigned long count, const struct sockaddr_in *to, bool resumed)
{
	SSL_SESSION *session = NULL;

	for (unsigned long i = 0; i < count; i++) {
		session = shake(context, to, session);
		if (resumed)
			continue;
		SSL_SESSION_free(session);
		session = NULL;
	}
}

int main(int argc, char **argv)
{
	unsigned long count, at_once;
	struct sockaddr_in to;
	SSL_CTX *context;
	bool resumed, good = true;
	int status;

	if (argc != 5)
		give_up("usage: hands full|resumed count at_once port");
	resumed = strcmp(argv[1], "resumed") == 0;
	count = number(argv[2]);
	at_once = number(argv[3]);
	if (at_once < 1 || at_once > count)
		give_up("hands: at_once is 1 to count");
	to = loopback(argv[4]);
	alarm(PATIENCE_S);
	context = make_context();
	SSL_SESSION_free(shake(context, &to, NULL));
	for (unsigned long i = 0; i < at_once; i++)
		if (fork() == 0) {
			alarm(PATIENCE_S);
			client(context, count / at_once, &to, resumed);
			exit(0);
		}
	while (wait(&status) > 0)
		good &= status == 0;
	return good ? 0 : 1;
}
