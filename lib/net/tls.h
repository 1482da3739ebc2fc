/* net/tls.h - the server's side of TLS, on OpenSSL 3, which no other file of the house includes.
 *
 * Shape   a chain and its key are read into a tls_pair; tls_names makes a table of names from pairs; a session
 *         picks its name by SNI, without regard to case, "_.example.org" for any one label before the rest,
 *         else the first of the table. Sessions never wait: they say what to poll the connection for.
 * Rules   TLS 1.2 and 1.3; for 1.2 only ECDHE with an AEAD; X25519, P-256, P-384; no renegotiation, no
 *         compression, no early data. A client that offers names by ALPN must offer one of ours.
 *         Tickets are sealed with keys that the caller owns, so that all of its processes take them.
 * Units   a name has no upper case letter. Buffers are the caller's.
 * Errors  of a file: a sentence about it; of a session: tls_error.
 * Source  RFC 8446, 5246, 6066 section 3, 7301, 5077, 9325. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct tls;
struct tls_pair;
struct tls_session;

/* ---- certificates -------------------------------------------------------------------------------------- */

/* PEM text: the server's certificate, then those above it; and its key. NULL with *wrong, about *of_key's file. */
struct tls_pair *tls_pair_read(const char *chain, size_t chain_bytes, const char *key, size_t key_bytes,
	const char **wrong, bool *of_key) __attribute__((warn_unused_result));
void tls_pair_free(struct tls_pair *p);
bool tls_pair_is_over(const struct tls_pair *p); /* its time is */

struct tls_rules {
	const char *alpn;  /* "smtp": what a client may want to speak; "": whatever it says */
	bool client_certs; /* ask for one; none, and one that nobody has signed, are as good */
};

struct tls *tls_open(const struct tls_rules *rules)
	__attribute__((warn_unused_result)); /* NULL: no memory */

struct tls_name {
	const char *name;
	const struct tls_pair *pair; /* several for one name stand side by side: one of each kind of key */
};

/* In place of those before, which stay when it fails (-1: no memory). The first is for all other names; what is
 * for one name stands together. */
int tls_names(struct tls *t, const struct tls_name *names, size_t count)
	__attribute__((warn_unused_result));

/* Handshakes with itself, so that what OpenSSL looks up only once is looked up before any fork. */
void tls_warm(struct tls *t);

enum { TLS_TICKETS = 2, TLS_TICKET_NAME = 16, TLS_TICKET_SECRET = 32 };

struct tls_ticket_key {
	unsigned char name[TLS_TICKET_NAME];
	unsigned char cipher[TLS_TICKET_SECRET];
	unsigned char mac[TLS_TICKET_SECRET];
};

/* The first seals, all open; no key yet: sessions are not resumed. life_s: of a ticket. */
void tls_tickets(struct tls *t, const struct tls_ticket_key *keys, size_t count, long life_s);
bool tls_random(void *p, size_t n) __attribute__((warn_unused_result));

/* ---- a session ----------------------------------------------------------------------------------------- */

enum tls_step {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_CLOSED, /* the client has said that it says no more */
	TLS_FAILED  /* tls_error; nothing more goes either way */
};

struct tls_session *tls_accept(struct tls *t, int fd) __attribute__((warn_unused_result));
void tls_close(struct tls_session *s); /* its keys are wiped */
enum tls_step tls_handshake(struct tls_session *s);
enum tls_step tls_read(struct tls_session *s, void *p, size_t cap, size_t *got);
enum tls_step tls_write(struct tls_session *s, const void *p, size_t n, size_t *put); /* n > 0 */
enum tls_step tls_say_end(struct tls_session *s);
const char *tls_error(const struct tls_session *s);

/* "SSL_PROTOCOL=TLSv1.3\0" ... "\0". */
void tls_variables(const struct tls_session *s, struct str *to);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384 mx.example.org resumed", for a log. */
void tls_describe(const struct tls_session *s, struct str *to);

#endif
