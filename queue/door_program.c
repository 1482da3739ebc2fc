/* The side of the queue program: message on 0, envelope on 1, what is wrong on 6 and 4. */
#include <errno.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "queue/door.h"
#include "queue/door_fds.h"

static ssize_t read_some(int fd, char *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got == -1 && errno == EINTR);
	return got;
}

ssize_t door_read_message(char *p, size_t n)
{
	return read_some(MESSAGE_FD, p, n);
}

enum door_exit door_read_envelope(struct envelope *e)
{
	size_t have = 0;

	for (;;) {
		ssize_t n;

		if (have == e->cap) {
			door_tell('D', "envelope is larger than this queue takes (#5.5.3)");
			return DOOR_CUSTOM;
		}
		n = read_some(ENVELOPE_FD, e->bytes + have, e->cap - have);
		if (n <= 0)
			return DOOR_READ; /* nobody finished it: nothing is handed in */
		have += (size_t)n;
		switch (envelope_check(e, have)) {
		case ENVELOPE_WHOLE:
			return DOOR_KEPT;
		case ENVELOPE_BAD:
			return DOOR_FORMAT;
		case ENVELOPE_TOO_LONG:
			return DOOR_ADDRESS_TOO_LONG;
		case ENVELOPE_CUT:
			break;
		}
	}
}

void door_tell(char letter, const char *text)
{
	char line[DOOR_TEXT];
	struct str s;

	str_init(&s, line, sizeof line);
	str_putc(&s, letter);
	str_puts(&s, text);
	/* Whoever has no descriptor 6 may have 4; whoever has neither reads the exit code alone. */
	if (fs_write_all(ERROR_FD, s.s, s.len) == -1 && fs_write_all(OLD_ERROR_FD, s.s, s.len) == -1)
		return;
}
