/* logline.h - the lines of -v.
 *
 * Shape   tcpserver: status: 1/40
 *         tcpserver: pid 123 from 1.2.3.4
 *         tcpserver: ok 123 LOCALHOST:LOCALIP:LOCALPORT REMOTEHOST:REMOTEIP:INFO:REMOTEPORT
 *         tcpserver: end 123 status 0
 *         Fields are cut to 100 bytes and "..."; what is not printable, "%" and ":" become "?".
 *         IPv6 addresses stand in brackets with their colons; IPv4 lines are ucspi-tcp's to the byte.
 *         Under pressure, or with limits, also:
 *         tcpserver: limit 4194305 WORD      before a deny that no rule made
 *         tcpserver: shed 123                a silent session that must make room
 *         JSON (--log=json): one object a line with the same facts, and the reason of a deny.
 * Units   the status is wait(2)'s: exit code times 256, or a signal.
 * Source  tcpserver(1) of ucspi-tcp; RFC 8259. Lines go into a sink (base/sink.h) and are written by
 *         logline_flush: only system calls, so it may run between vfork and exec. */
#ifndef TCPSERVER_LOGLINE_H
#define TCPSERVER_LOGLINE_H

#include <stdbool.h>

#include "net/ends.h"

enum logline_form { LOGLINE_CLASSIC, LOGLINE_JSON };

/* Before privileges are dropped. What die and warn say goes the same way from now on. */
void logline_open(enum logline_form form);
void logline_flush(void);
int logline_waits(void); /* the descriptor that must become writable before the rest can go, or -1 */

void logline_status(unsigned long now, unsigned long limit);
void logline_pid(long pid, const struct ends *ends);
/* verdict is "ok" or "deny"; NULL is "not known" for the three texts. reason: why, for JSON. */
void logline_verdict(const char *verdict, long pid, const struct ends *ends, const char *local_host,
	const char *remote_host, const char *remote_info, const char *reason);
void logline_limit(long pid, const char *word);
void logline_shed(long pid);
void logline_end(long pid, int status);

#endif
