/* logline.h - the lines of -v, one write(2) each.
 *
 * Shape   tcpserver: status: 1/40
 *         tcpserver: pid 123 from 1.2.3.4
 *         tcpserver: ok 123 LOCALHOST:LOCALIP:LOCALPORT REMOTEHOST:REMOTEIP:INFO:REMOTEPORT
 *         tcpserver: end 123 status 0
 *         Fields are cut to 100 bytes and "..."; what is not printable, "%" and ":" become "?".
 *         IPv6 addresses stand in brackets with their colons; IPv4 lines are ucspi-tcp's to the byte.
 * Units   the status is wait(2)'s: exit code times 256, or a signal.
 * Source  tcpserver(1) of ucspi-tcp. Only calls write(2), so it may run between vfork and exec. */
#ifndef TCPSERVER_LOGLINE_H
#define TCPSERVER_LOGLINE_H

#include "net/ends.h"

void logline_status(unsigned long now, unsigned long limit);
void logline_pid(long pid, const struct addr *remote);
/* verdict is "ok" or "deny"; NULL is "not known" for the three texts. */
void logline_verdict(const char *verdict, long pid, const struct ends *ends, const char *local_host,
	const char *remote_host, const char *remote_info);
void logline_end(long pid, int status);

#endif
