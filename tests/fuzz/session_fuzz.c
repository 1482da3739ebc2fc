/* A whole session: what the input says is read from a file as from a client, cut into reads by the file
 * itself. No queue is there, so DATA is answered 451. Replies must be lines that RFC 5321 allows.
 * The log goes to descriptor 2: run with -close_fd_mask=2. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "smtpd/command.h"
#include "tests/fuzz/replies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct settings settings;
static struct session session;
static struct queues queues = { .count = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char hosts[] = "example.org\0.sub.example";
	int in = memfd_create("in", 0), out = memfd_create("out", 0);

	if (in == -1 || out == -1 || write(in, data, size) != (ssize_t)size || lseek(in, 0, SEEK_SET) != 0)
		abort();
	settings = (struct settings){ .greeting = "mx.example.org",
		.timeout_ms = 1000,
		.has_rcpthosts = true,
		.rcpthosts = { hosts, sizeof hosts },
		.morercpthosts = -1,
		.localip = "example.org",
		.size_max = 1000,
		.queue_can = ~0U,
		.xclient = true };
	memset(&session, 0, offsetof(struct session, in_bytes));
	session.set = &settings;
	session.state = STATE_IDLE;
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
	envelope_init(&session.envelope, session.envelope_bytes, sizeof session.envelope_bytes);
	command_loop(&session);
	replies_check(out, NULL);
	close(in);
	close(out);
	return 0;
}
