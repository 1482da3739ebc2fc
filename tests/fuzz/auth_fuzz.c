/* AUTH: what the input says, behind EHLO, is read as from a client. The checker's broker is gone, so whoever gets as
 * far as being asked about is answered 454 (or 535, without a delay). Replies must be lines that RFC 5321 allows, and
 * no user becomes known.
 * base64: what is decoded encodes to the same text again. The log goes to descriptor 2: -close_fd_mask=2. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail/base64.h"
#include "smtpd/command.h"
#include "tests/fuzz/replies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct settings settings;
static struct session session;
static struct queues queues = { .count = 1 };

static void check_base64(const char *p, size_t n)
{
	char *bytes = malloc(n + 1), *again = malloc(BASE64_LENGTH(n) + 1);
	size_t len, counted;

	if (bytes == NULL || again == NULL)
		abort();
	if (base64_decode(p, n, bytes, n, &len) == NULL) {
		if (base64_encode(bytes, len, again) != n || memcmp(again, p, n) != 0)
			abort();
		if (base64_decode(p, n, bytes, len / 2, &counted) != NULL || counted != len)
			abort();
	}
	free(bytes);
	free(again);
}

static void open_session(struct checker *checker, int in, int out)
{
	settings = (struct settings){ .greeting = "mx.example.org",
		.timeout_ms = 1000,
		.morercpthosts = -1,
		.auth = auth_words_read("clear") };
	memset(&session, 0, offsetof(struct session, in_bytes));
	session.set = &settings;
	session.state = STATE_IDLE;
	session.checker = checker;
	session.in = (struct io_reader){
		.fd = in, .timeout_ms = 1000, .buf = session.in_bytes, .cap = sizeof session.in_bytes
	};
	session.out = (struct io_writer){
		.fd = out, .timeout_ms = 1000, .buf = session.out_bytes, .cap = sizeof session.out_bytes
	};
	queues.at[0].door =
		(struct door){ .broker = { .sock = -1 }, .message = -1, .envelope = -1, .errors = -1 };
	session.queues = &queues;
	session.door = &queues.at[0].door;
	session.tls.control = -1;
	memcpy(session.ucspi, settings.ucspi, sizeof session.ucspi);
	envelope_init(&session.envelope, session.envelope_bytes, sizeof session.envelope_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char hello[] = "EHLO c\r\n";
	int in = memfd_create("in", 0), out = memfd_create("out", 0), pair[2];
	struct checker checker = { .timeout_ms = 1000 };

	check_base64((const char *)data, size);
	if (in == -1 || out == -1 || write(in, hello, sizeof hello - 1) == -1 ||
		write(in, data, size) != (ssize_t)size || lseek(in, 0, SEEK_SET) != 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
		abort();
	close(pair[1]);
	checker.broker.sock = pair[0];
	open_session(&checker, in, out);
	command_loop(&session);
	replies_check(out, "235");
	if (session.user != NULL || session.told.pairs[0] != NULL)
		abort();
	broker_give_up(&checker.broker);
	close(in);
	close(out);
	return 0;
}
