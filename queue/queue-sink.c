/* queue-sink - a queue server that takes every message and keeps none: queue-sink(8). */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/option.h"
#include "base/sigfd.h"
#include "queue/intake.h"
#include "queue/store_null.h"

#define USAGE "queue-sink: usage: queue-sink [-c LIMIT] [-m MODE] PATH\n"

static const char help[] = USAGE
	"Listens on a socket at PATH, takes messages as portero-queue(7) says, and throws them away:\n"
	"for measuring and for trying smtpd out. See queue-sink(8).\n"
	"  -c LIMIT    connections at a time (1000)\n"
	"  -m MODE     of the socket, in octal (600)\n"
	"  --help      this text\n"
	"  --version   the version of portero\n";

static void kept(
	void *arg, void *owner, uint32_t message, const struct envelope *e, const struct store_origin *from)
{
	(void)e;
	(void)from;
	*(uint32_t *)arg = message;
	intake_kept(owner, message);
}

static void say(void *arg, const char *line)
{
	(void)arg;
	dprintf(STDERR_FILENO, "queue-sink: %s\n", line);
}

static struct intake_options read_options(int argc, char **argv)
{
	struct intake_options o = { .mode = 0600, .say = say };
	int letter;

	while ((letter = getopt(argc, argv, ":c:m:")) != -1)
		switch (letter) {
		case 'c':
			o.connections = (unsigned)option_number("-c", optarg, 1, 100000);
			break;
		case 'm':
			o.mode = option_mode("-m", optarg);
			break;
		default:
			option_refuse("queue-sink", letter, optopt, USAGE);
		}
	if (optind + 1 != argc)
		die_usage(USAGE);
	o.path = argv[optind];
	return o;
}

static struct intake *open_intake(const struct intake_options *o, struct store *store)
{
	char why[256];
	struct intake *in = intake_open(o, &store_null_ops, store, why, sizeof why);

	if (in != NULL)
		return in;
	die(EXIT_TEMPORARY, "%s", why);
}

/* Until a signal. */
static void serve(struct intake *in, struct store *store, int signals)
{
	struct pollfd fds[] = { { .fd = intake_fd(in), .events = POLLIN },
		{ .fd = signals, .events = POLLIN } };

	for (;;) {
		poll(fds, 2, intake_timeout_ms(in));
		if (fds[1].revents != 0 && sigfd_next(signals) != 0)
			return;
		intake_turn(in);
		store_null_turn(store);
		intake_flush(in);
	}
}

int main(int argc, char **argv)
{
	static const int ends[] = { SIGTERM, SIGINT };
	uint32_t count = 0;
	const struct store_events events = {
		.arg = &count, .kept = kept, .lost = intake_lost, .ready = intake_ready, .say = say
	};
	struct intake_options options;
	struct store *store;
	struct intake *in;
	int signals;

	err_name("queue-sink");
	err_option(argc, argv, help);
	options = read_options(argc, argv);
	signals = sigfd_open(ends, 2);
	store = store_null_open(&events);
	if (signals == -1 || store == NULL)
		die(EXIT_TEMPORARY, "unable to start");
	in = open_intake(&options, store);
	serve(in, store, signals);
	intake_stop(in);
	store_null_turn(store);
	intake_flush(in);
	dprintf(STDERR_FILENO, "queue-sink: %lu messages, %llu bytes\n", (unsigned long)count,
		(unsigned long long)store_null_bytes(store));
	intake_close(in);
	store_null_close(store);
	return 0;
}
