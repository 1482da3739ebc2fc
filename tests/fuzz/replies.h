/* replies.h - what fuzz targets of smtpd ask of its replies, in a file behind fd: lines of RFC 5321, printable, 512
 * octets at most. forbidden: a code that must not be there, or NULL. */
#ifndef REPLIES_H
#define REPLIES_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void replies_check(int fd, const char *forbidden)
{
	static char text[1 << 20];
	ssize_t n = pread(fd, text, sizeof text, 0);
	size_t line = 0;

	for (ssize_t i = 0; i < n; i++) {
		if (text[i] != '\n') {
			if (text[i] != '\r' && (text[i] < ' ' || text[i] > '~'))
				abort();
			continue;
		}
		if ((size_t)i - line > 511 || i == 0 || text[i - 1] != '\r' || text[line] < '2' ||
			text[line] > '5')
			abort();
		if (forbidden != NULL && memcmp(text + line, forbidden, strlen(forbidden)) == 0)
			abort();
		line = (size_t)i + 1;
	}
	if (n < 0 || line != (size_t)n)
		abort();
}

#endif
