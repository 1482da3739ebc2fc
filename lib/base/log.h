/* base/log.h - one event a line, on descriptor 2 or, where that is the client's own socket, to syslog.
 *
 * Shape   "TAG: TEXT\n" on descriptor 2; "<22>TAG[PID]: TEXT" (mail.info) as a datagram to /dev/log.
 *         One call a line, cut at LOG_LINE bytes. A line that cannot be written is dropped: a log that
 *         fails must not end a session.
 * Source  inetd(8) and xinetd(8) give the connection on 0, 1 and 2; RFC 3164 for the datagram. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum { LOG_LINE = 2048 };

/* Decides where lines go. Opens its socket now: a sandbox entered later forbids it. */
void log_open(const char *tag);
void log_plain(void); /* on descriptor 2 without "TAG: ", for lines of another form */
void log_line(const char *text, size_t n);
bool log_is_syslog(void); /* then descriptor 2 must not be handed to a child as its log */

#endif
