/* starttls.c - STARTTLS and what there is of TLS before the greeting: the program's side of UCSPI-TLS.
 *
 * The key is with another process, which has the connection too. It is told to begin, says what it has agreed
 * with the client, and from then on plain text comes and goes by its descriptors.
 *
 * Source  RFC 3207; UCSPI-TLS (ucspi-ssl's ucspi-tls(2)): SSLCTLFD, SSLREADFD, SSLWRITEFD. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "smtpd/command.h"
#include "smtpd/extensions.h"
#include "smtpd/policy_ask.h"
#include "smtpd/starttls.h"

enum { HANDSHAKE_MS = 60 * 1000 };

/* -1: not said, or not open. Of a second connection the server's side sees to that (net/resident.h), and we may
 * not ask any more: EPERM. */
static int descriptor(const char *name)
{
	const char *text = getenv(name);
	unsigned long fd;

	if (text == NULL || num_parse(text, 3, 65535, &fd) != NULL)
		return -1;
	return fcntl((int)fd, F_SETFD, FD_CLOEXEC) == -1 && errno == EBADF ? -1 : (int)fd;
}

void starttls_open(struct session_tls *t)
{
	const bool wrapped = getenv("SMTPS") != NULL;

	*t = (struct session_tls){ .control = descriptor("SSLCTLFD"), .in = -1, .out = -1, .on = wrapped };
	if (wrapped)
		return;
	t->in = descriptor("SSLREADFD");
	t->out = descriptor("SSLWRITEFD");
	if (t->in == -1 || t->out == -1)
		t->control = -1;
}

/* One more piece of what the helper says, up to the deadline. 0: it has ended, or is not to be waited for. */
static size_t read_piece(int fd, char *p, size_t cap, int64_t deadline)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (cap == 0 || poll(&wait, 1, clock_left_ms(deadline)) != 1)
		return 0;
	n = read(fd, p, cap);
	return n > 0 ? (size_t)n : 0;
}

/* "NAME=value" NUL ... NUL. */
static bool is_whole(const char *text, size_t n)
{
	return n > 0 && text[n - 1] == '\0' && (n == 1 || text[n - 2] == '\0');
}

static const char *value_of(const char *text, const char *name)
{
	const size_t n = strlen(name);

	for (; *text != '\0'; text += strlen(text) + 1)
		if (strncmp(text, name, n) == 0 && text[n] == '=' && text[n + 1] != '\0')
			return text + n + 1;
	return NULL;
}

/* Servers that shake hands before they start their program have put it into the environment: sslserver(1). */
static bool read_environment(struct session_tls *t)
{
	t->version = getenv("SSL_PROTOCOL");
	t->cipher = getenv("SSL_CIPHER");
	t->name = getenv("SSL_TLS_SNI_SERVERNAME");
	return true;
}

bool starttls_agree(struct session_tls *t)
{
	const int64_t deadline = clock_ms() + HANDSHAKE_MS;
	size_t have = 0, n;

	if (t->control == -1)
		return read_environment(t);

	do {
		n = read_piece(t->control, t->text + have, sizeof t->text - have, deadline);
		have += n;
	} while (n > 0 && !is_whole(t->text, have));
	if (n == 0) {
		t->text[0] = '\0';
		return false;
	}
	t->on = true;
	t->version = value_of(t->text, "SSL_PROTOCOL");
	t->cipher = value_of(t->text, "SSL_CIPHER");
	t->name = value_of(t->text, "SSL_TLS_SNI_SERVERNAME");
	t->fingerprint = value_of(t->text, "SSL_CLIENT_CERT_FINGERPRINT");
	return true;
}

static bool is_alive(const struct session_tls *t)
{
	struct pollfd p = { .fd = t->control, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* RFC 3207 section 4.2: of what was said before nothing counts. */
static void forget(struct session *s)
{
	transaction_reset(s);
	s->helo[0] = '\0';
	s->esmtp = false;
	auth_forget(s);
	policy_ask_forget_helo(s);
}

enum reply starttls(struct session *s, struct argument a)
{
	struct session_tls *t = &s->tls;

	(void)a;
	if (t->on)
		return REPLY_TLS_TWICE;
	if ((extensions_now(s) & EXT_STARTTLS) == 0)
		return REPLY_UNKNOWN;
	if (s->state != STATE_IDLE)
		return REPLY_MAIL_TWICE;
	if (s->in.from !=
		s->in.to) { /* whoever put it there wants it taken for the client's, said inside TLS */
		s->over = true;
		return REPLY_TALKED_BEHIND_TLS;
	}
	if (!is_alive(t))
		return REPLY_NO_TLS;
	reply_put(s, REPLY_START_TLS);
	if (io_flush(&s->out) != IO_OK || write(t->control, "Y", 1) != 1 || !starttls_agree(t)) {
		s->over = true; /* nobody is left to say it to */
		s->exit_code = SESSION_EXIT_LEFT;
		return REPLY_NONE;
	}
	s->in.fd = t->in;
	s->out.fd = t->out;
	forget(s);
	return REPLY_NONE;
}
