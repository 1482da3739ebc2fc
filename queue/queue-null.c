/* queue-null - a queue program that takes every message and keeps none: queue-null(8). */
#include <unistd.h>

#include "base/err.h"
#include "queue/door.h"

enum { PIECE = 64 * 1024, ENVELOPE_BYTES = 4 * 1024 * 1024 };

static char bytes[ENVELOPE_BYTES];

#define USAGE "queue-null: usage: queue-null\n"

static const char help[] =
	USAGE "Takes one message by the qmail-queue protocol (message on descriptor 0, envelope on 1)\n"
	      "and throws it away: for measuring and for trying smtpd out. See queue-null(8).\n"
	      "  --help      this text\n"
	      "  --version   the version of portero\n";

int main(int argc, char **argv)
{
	struct envelope e;
	ssize_t n;

	err_name("queue-null");
	err_option(argc, argv, help);
	if (argc != 1)
		die_usage(USAGE);
	while ((n = door_read_message(bytes, PIECE)) > 0)
		;
	if (n == -1)
		_exit(DOOR_READ);
	envelope_init(&e, bytes, sizeof bytes);
	_exit((int)door_read_envelope(&e));
}
