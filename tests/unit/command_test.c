/* How long a command is waited for: a question of numbers, since no test waits for half an hour. */
#include "smtpd/command.h"

#include <limits.h>
#include <stdint.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/tap.h"

#define MINUTE_MS INT64_C(60000)

static struct session s;

/* A command is there already when the line is asked for. */
static enum reply read_after(int64_t since_ms)
{
	const char *line;
	enum reply r;
	int ends[2];
	size_t n;

	if (pipe(ends) == -1 || write(ends[1], "NOOP\r\n", 6) != 6)
		return REPLY_UNKNOWN;
	s.in = (struct io_reader){
		.fd = ends[0], .timeout_ms = 1000, .buf = s.in_bytes, .cap = sizeof s.in_bytes
	};
	s.out = (struct io_writer){ .fd = -1, .buf = s.out_bytes, .cap = sizeof s.out_bytes };
	s.over = false;
	s.progress_ms = clock_ms() - since_ms;
	r = command_read_line(&s, COMMAND_LINE, &line, &n);
	close(ends[0]);
	close(ends[1]);
	return r;
}

int main(void)
{
	static const struct settings settings;

	s.set = &settings;
	tap_ok(command_wait_ms(300000, 0) == 300000, "as long as for any read");
	tap_ok(command_wait_ms(300000, 25 * MINUTE_MS) == 300000, "until half an hour is near");
	tap_ok(command_wait_ms(300000, 25 * MINUTE_MS + 1) == 299999, "then what is left of it");
	tap_ok(command_wait_ms(300000, 30 * MINUTE_MS - 1) == 1, "to the last of it");
	tap_ok(command_wait_ms(300000, 30 * MINUTE_MS) == 0, "and no longer");
	tap_ok(command_wait_ms(300000, INT64_MAX) == 0, "nor ever again");
	tap_ok(command_wait_ms(INT_MAX, 0) == 30 * MINUTE_MS, "whatever timeoutsmtpd says");

	tap_ok(read_after(29 * MINUTE_MS) == REPLY_NONE && !s.over, "a command in time is read");
	tap_ok(read_after(30 * MINUTE_MS) == REPLY_NO_PROGRESS && s.over, "one that comes later is not");
	return tap_end();
}
