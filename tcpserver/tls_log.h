/* tls_log.h - the lines of the helper of TLS, in the manner of tcpserver's.
 *
 * Shape   tls: warning: TEXT                  always
 *         tls: ok 123 TLSv1.3 TLS_AES_256_GCM_SHA384 mx.example.org resumed      with -v
 *         tls: failed 123 no shared cipher                                       with -v
 *         123 is the pid of the session's program.
 * Errors  a log that is not read stops nobody (base/sink.h). */
#ifndef TCPSERVER_TLS_LOG_H
#define TCPSERVER_TLS_LOG_H

#include <stdbool.h>
#include <sys/types.h>

#include "net/tls.h"

void tls_log_open(void); /* the log is on descriptor 2 and on no other afterwards */
void tls_log_flush(void);
void tls_log_handshake(pid_t program, bool verbose, const struct tls_session *s, const char *wrong);

#endif
