/* tls_store.h - a folder of certificates and keys, and what it says now.
 *
 * Shape   DIR/NAME/fullchain.pem and DIR/NAME/privkey.pem, as certbot and dehydrated leave them (links are
 *         followed); NAME is a host name, "*.example.org" or "_.example.org", or "default"; what stands behind a
 *         "+" tells several pairs for one name apart ("mx.example.org+rsa"). The two files in DIR itself are
 *         those of "default". DIR/ticket.keys: tls_tickets.h.
 * Cost    two stat(2) a pair and session, for more than STORE_FEW pairs at most once a second; only what has
 *         changed is read.
 * Errors  a pair that cannot be used leaves the one before it in its place, and is told of once: a line that
 *         names the file and the remedy. */
#ifndef TCPSERVER_TLS_STORE_H
#define TCPSERVER_TLS_STORE_H

#include <stddef.h>
#include <sys/stat.h>

#include "net/tls.h"

enum { STORE_FEW = 32 };

struct tls_store;

/* NULL with errno: ENOKEY when there is no pair that can be used (each was told of). */
struct tls_store *tls_store_open(const char *dir, const struct tls_rules *rules)
	__attribute__((warn_unused_result));

/* Looks at the files; what is to be served with. */
struct tls *tls_store_now(struct tls_store *s);

/* Another number than before: certificates or keys of tickets have changed. */
unsigned tls_store_changes(const struct tls_store *s);

#endif
