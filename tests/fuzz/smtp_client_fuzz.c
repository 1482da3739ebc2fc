/* A whole dialogue with a server that says anything, about a message and an envelope that hold anything: it ends, and
 * nothing leaves but lines that end in CR LF, with one MAIL and one text among them at most.
 * Input: a byte of switches, the length of the envelope, the envelope, the length of the text, the text, and what the
 * server says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "mail/smtp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LMTP = 1, WAIT = 2, TLS = 4, LOGIN = 8 };

struct input {
	const uint8_t *p;
	size_t n;
};

static struct input take(struct input *in)
{
	struct input part = { in->p, 0 };

	if (in->n == 0)
		return part;
	part.p = in->p + 1;
	part.n = in->p[0] < in->n ? in->p[0] : in->n - 1;
	in->p += part.n + 1;
	in->n -= part.n + 1;
	return part;
}

static size_t sent(int fd, char *to, size_t cap)
{
	const ssize_t n = pread(fd, to, cap, 0);

	return n > 0 ? (size_t)n : 0;
}

static void check_lines(const char *wire, size_t n)
{
	size_t mails = 0;

	for (size_t i = 0; i < n; i++) {
		if (wire[i] == '\n' && (i == 0 || wire[i - 1] != '\r'))
			abort();
		if (wire[i] == '\r' && i + 1 < n && wire[i + 1] != '\n')
			abort();
	}
	/* up to the text, which may well speak of MAIL */
	for (size_t i = 0; i + 10 < n && memcmp(wire + i, "DATA\r\n", 6) != 0; i++)
		mails += memcmp(wire + i, "MAIL FROM:", 10) == 0 && (i == 0 || wire[i - 1] == '\n');
	if (mails > 1)
		abort();
}

static size_t heard;

static void judged(void *arg, const char *recipient, enum smtp_outcome outcome)
{
	(void)arg;
	(void)recipient;
	if (outcome == SMTP_LOST)
		abort();
	heard++;
}

static void said(void *arg, enum smtp_outcome outcome)
{
	(void)arg;
	(void)outcome;
}

static void talk(
	struct smtp_client *c, const struct smtp_message *m, const struct input *text, unsigned how)
{
	heard = 0;
	if (smtp_client_greeting(c) != SMTP_YES || smtp_client_hello(c, "client.example") != SMTP_YES)
		return;
	if ((c->offers & SMTP_STARTTLS) != 0 && (how & TLS) != 0 && smtp_client_starttls(c) != SMTP_YES)
		return;
	if ((how & LOGIN) != 0 && smtp_client_auth(c, "joe", "secret") != SMTP_YES)
		return;
	if (smtp_client_cannot(c, m) != NULL)
		return;
	if (smtp_client_envelope(c, m, judged, NULL) != SMTP_YES || c->accepted == 0)
		return;
	if (heard != m->envelope->recipients || c->accepted > heard)
		abort();
	if (smtp_client_data(c) != SMTP_YES ||
		smtp_client_text(c, (const char *)text->p, text->n) != SMTP_YES)
		return;
	(void)smtp_client_end(c, said, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct smtp_client c;
	static char bytes[512], wire[16 * 1024];
	struct input in = { data, size }, envelope, text;
	struct envelope e;
	struct smtp_message m = { .envelope = &e, .eight_bit = true };
	int server, client;
	unsigned how;

	if (in.n == 0)
		return 0;
	how = in.p[0];
	in.p++;
	in.n--;
	envelope = take(&in);
	text = take(&in);
	memcpy(bytes, envelope.p, envelope.n);
	envelope_init(&e, bytes, sizeof bytes);
	if (envelope_check(&e, envelope.n) != ENVELOPE_WHOLE)
		return 0;
	server = memfd_create("server", MFD_CLOEXEC);
	client = memfd_create("client", MFD_CLOEXEC);
	if (server == -1 || client == -1 || pwrite(server, in.p, in.n, 0) != (ssize_t)in.n)
		abort();
	smtp_client_open(&c, server, client, (how & LMTP) != 0, clock_ms() + 10000);
	c.wait = (how & WAIT) != 0;
	talk(&c, &m, &text, how);
	smtp_client_quit(&c);
	check_lines(wire, sent(client, wire, sizeof wire));
	close(server);
	close(client);
	return 0;
}
