/* net/resident.h - one program, connection after connection: the wire of portero-resident(7).
 *
 * Shape   a SOCK_SEQPACKET pair (net/pass.h), the program's end on descriptor RESIDENT_FD. The program says
 *         'D' and an exit code (done, ready for another) or 'B' with the connection (take it back); the server
 *         hands over an environment block, "NAME=value\0" ..., with the next connection. Behind that come, in
 *         both directions, what the helper of TLS has to do with it: its control, then its plain text.
 * Units   a block has 1 to RESIDENT_BLOCK bytes and RESIDENT_VARS variables at most.
 * Errors  -1 with errno.
 * Source  portero-resident(7), tls(8). */
#ifndef NET_RESIDENT_H
#define NET_RESIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/env_block.h"

enum { RESIDENT_FD = 3, RESIDENT_BLOCK = 64 * 1024, RESIDENT_VARS = ENV_BLOCK_VARS, RESIDENT_BOUND = 100 };
enum { RESIDENT_DONE = 'D', RESIDENT_BACK = 'B' };

#define RESIDENT_ENV "RESIDENT"         /* "3" */
#define RESIDENT_ENV_MAX "RESIDENT_MAX" /* connections in all, the first one too */

/* ---- blocks, for both sides ---------------------------------------------------------------------------- */

/* Bytes of the block; -1 with E2BIG: it does not fit, or there is nothing to say. */
ssize_t resident_encode(char *const envp[], char *block, size_t cap) __attribute__((warn_unused_result));

/* Points into the block; vector has RESIDENT_VARS + 1 places. False: not an environment. */
bool resident_decode(char *block, size_t n, char **vector) __attribute__((warn_unused_result));

/* ---- the program's side -------------------------------------------------------------------------------- */

struct resident {
	int control;   /* -1: one connection, as in any server */
	int null;      /* what is on 1 between two connections; 0 is closed then */
	unsigned left; /* connections that may still come */
};

/* What the environment says. True: there is such a server; the environment is remembered. Nothing is
 * allocated, and no descriptor is opened but /dev/null: call it before the sandbox is entered. */
bool resident_open(struct resident *r);

/* The session is over: descriptors 0 and 1 and those of TLS are let go, the former environment is wiped, and the
 * next connection is waited for. True: it is on 0 and 1, what TLS needs is on the numbers that SSLCTLFD, SSLREADFD
 * and SSLWRITEFD name (close-on-exec), and environ is its own. False: it is time to exit. */
bool resident_next(struct resident *r, int exit_code) __attribute__((warn_unused_result));

/* The connection of resident_next has not been touched and is not for us: the server takes it back and
 * starts a fresh process for it. Exit after it. */
void resident_back(struct resident *r);

/* "NAME=value" with a name that tells about the connection itself: PROTO, TCPLOCAL..., TCPREMOTE...,
 * RELAYCLIENT, DATABYTES, SMTPNEWLINE, XCLIENT, SSL..., SMTPS, SMTPAUTH... */
bool resident_of_connection(const char *pair) __attribute__((pure));

/* Those of environ, and more (NULL, or such as well) before them, which stand instead of any of the same name. Lives
 * until the next call, and as long as what it points to. */
char **resident_variables(char *const more[]);

/* Apart from those, is the environment the one that this process was started with? */
bool resident_same_place(void);

#endif
