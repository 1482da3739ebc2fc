/* net/ident.h - ask the client's host whose connection this is, without blocking.
 *
 * Shape   ident_open connects; poll ident_poll, call ident_step until it is not IDENT_BUSY. The answer's
 *         grammar stands alone, so that it can be fed byte by byte: ident_feed.
 * Answer  what follows the third colon up to the newline, without blanks, tabs and CR, at most 257 bytes.
 *         A line with fewer colons (ERROR) is an empty answer. A byte outside 0x21..0x7e, and an end
 *         without a newline, is no answer at all.
 * Errors  ident_open: -1 with errno, nothing to close. IDENT_NONE for every failure later.
 * Source  RFC 1413; the reading of the answer is ucspi-tcp's remoteinfo. */
#ifndef NET_IDENT_H
#define NET_IDENT_H

#include <poll.h>
#include <stddef.h>

#include "net/addr.h"

enum { IDENT_TEXT = 258, IDENT_PORT = 113 };

enum ident_state { IDENT_BUSY, IDENT_FOUND, IDENT_NONE };

struct ident_answer {
	char text[IDENT_TEXT];
	size_t len;
	int colons;
	enum ident_state state;
};

struct ident {
	int fd;
	bool asked;
	unsigned local_port;
	unsigned remote_port;
	struct ident_answer answer;
};

/* The connection that is asked about, seen from here: local is ours. */
int ident_open(struct ident *i, const struct addr *local, unsigned local_port, const struct addr *remote,
	unsigned remote_port) __attribute__((warn_unused_result));
void ident_close(struct ident *i);
struct pollfd ident_poll(const struct ident *i);
enum ident_state ident_step(struct ident *i); /* the descriptor is ready */

void ident_answer_init(struct ident_answer *a);
enum ident_state ident_feed(struct ident_answer *a, const char *p, size_t n);

#endif
