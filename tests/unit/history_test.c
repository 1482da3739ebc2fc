/* The lines of qmail-send, byte for byte. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "queue/history.h"
#include "tap.h"

static struct history h;
static int ends[2];

/* All that is written now. */
static const char *written(void)
{
	static char text[100000];
	ssize_t n;

	history_flush(&h);
	n = read(ends[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void lines(void)
{
	static const char two[] =
		"127.0.0.1 accepted message.\nRemote host said: 250 2.0.0 queued as 12345\n";
	const struct history_slots none = { 0, 10, 0, 20 }, some = { 1, 10, 255, 300 };

	history_status(&h, &none, false);
	history_status(&h, &some, false);
	history_status(&h, &some, true);
	history_exiting(&h);
	tap_same(written(),
		"status: local 0/10 remote 0/20\nstatus: local 1/10 remote 255/300\n"
		"status: local 1/10 remote 255/300 exitasap\nstatus: exiting\n",
		"status");
	history_new(&h, 11176482);
	history_info(&h, 11176482, 233, "s@test.example", 9368, 0);
	history_info(&h, UINT64_MAX, 233, "", UINT64_MAX, 4294967295U);
	tap_same(written(),
		"new msg 11176482\n"
		"info msg 11176482: bytes 233 from <s@test.example> qp 9368 uid 0\n"
		"info msg 18446744073709551615: bytes 233 from <> qp 18446744073709551615 uid 4294967295\n",
		"a message arrives");
	tap_ok(history_start(&h, 11176482, true, "joe-fwd@test.example") == 1 &&
			history_start(&h, 11176482, false, "a%b c\n\001\177\200@x") == 2,
		"deliveries are numbered from 1");
	tap_same(written(),
		"starting delivery 1: msg 11176482 to local joe-fwd@test.example\n"
		"starting delivery 2: msg 11176482 to remote a_b_c/___@x\n",
		"deliveries start; odd bytes are _, a newline is /");
	history_report(&h, 5, 'K', "did 0+1+0\nqp 9378\n", 18);
	history_report(&h, 8, 'D', "why not\n", 8);
	history_report(&h, 12, 'Z', "", 0);
	history_report(&h, 22, 'K', two, sizeof two - 1);
	history_report(&h, 23, 'x', "abc", 3);
	history_report(&h, 24, 'Z', "abc\0def", 7);
	tap_same(written(),
		"delivery 5: success: did_0+1+0/qp_9378/\n"
		"delivery 8: failure: why_not/\n"
		"delivery 12: deferral: \n"
		"delivery 22: success: "
		"127.0.0.1_accepted_message./Remote_host_said:_250_2.0.0_queued_as_12345/\n"
		"delivery 23: report mangled, will defer\n"
		"delivery 24: deferral: abc\n",
		"deliveries end");
	history_bounce(&h, 11176494, 9605);
	history_triple_bounce(&h, 7);
	history_end(&h, 11176494);
	history_say(&h, "warning: ", "cannot read\nend msg 4");
	tap_same(written(),
		"bounce msg 11176494 qp 9605\ntriple bounce: discarding bounce/7\nend msg 11176494\n"
		"warning: cannot read/end msg 4\n",
		"the end; nobody makes a line out of a text");
}

static void sizes(void)
{
	char *large = malloc(70000);
	const char *text;

	memset(large, 'x', 69999);
	large[69999] = '\0';
	history_report(&h, 1, 'Z', large, 69999);
	text = written();
	tap_ok(strlen(text) == strlen("delivery 1: deferral: \n") + 10000 && text[strlen(text) - 1] == '\n',
		"10000 bytes of a report, and its newline");
	history_start(&h, 1, true, large);
	text = written();
	tap_ok(strlen(text) < 15000 && text[strlen(text) - 1] == '\n', "an address without an end is cut");
	for (int i = 0; i < 5; i++)
		history_report(&h, 1, 'Z', large, 10000);
	tap_ok(strlen(written()) == 5 * (strlen("delivery 1: deferral: \n") + 10000),
		"more than the buffer: all of it");
	free(large);
}

static void stuck(void)
{
	char waste[4096];
	const char *text;

	while (write(ends[1], "y", 1) == 1)
		;
	history_new(&h, 1);
	history_new(&h, 2);
	history_flush(&h);
	history_new(&h, 3);
	history_flush(&h);
	tap_ok(h.lost == 3, "a log that takes nothing: lines are dropped");
	while (read(ends[0], waste, sizeof waste) > 0)
		;
	history_new(&h, 4);
	text = written();
	tap_same(text, "\nwarning: 3 lines of this log are lost\nnew msg 4\n",
		"and when it does again, it says so");
	history_new(&h, 5);
	tap_same(written(), "new msg 5\n", "once");
	close(ends[0]);
	history_new(&h, 6);
	history_flush(&h);
	tap_ok(h.lost == 1, "nobody reads: nothing happens");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) == -1)
		return 1;
	history_init(&h, ends[1]);
	lines();
	sizes();
	stuck();
	return tap_end();
}
