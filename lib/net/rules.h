/* net/rules.h - the verdict for a connection, from a file compiled by tcprules(1).
 *
 * Shape   a cdb; key: address, prefix of an address, =name or info@address; data: "D\0"? then
 *         "+NAME=value\0" ... The file is copied into memory that nobody else can touch or cut, and
 *         verified as a whole before a byte of it is believed: rules_refresh.
 * IPv6    keys of our own, which an older reader never asks for: "[2001:db8::1]", "[2001:db8::]/32" and
 *         "info@[2001:db8::1]", the address as addr_format writes it and without bits behind its length.
 *         A client at ::ffff:1.2.3.4 is one at 1.2.3.4.
 * Names   what follows the "=" of a key is compared without case and without a last dot, in the file and
 *         in the question. Where several keys are the same name then, the first in the file counts.
 * Cost    rules_refresh is one stat(2) while the file stays as it is; a look-up is one probe a key (of
 *         IPv6 networks: one for each length that is in the file) and allocates nothing.
 * Errors  -1 with errno: ENOENT no such file, EISDIR, EINVAL no regular file or an empty one, EFBIG,
 *         EPROTO damaged. The caller refuses on -1: no error is an "allow".
 * Source  keys and order of look-up: tcprules(1), "Rules"; cdb(5) for the file. */
#ifndef NET_RULES_H
#define NET_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { RULES_FILE_MAX = 256 * 1024 * 1024 }; /* bytes: five million single addresses */

struct rules;

/* Who is asking, as in TCPREMOTEIP, TCPREMOTEHOST and TCPREMOTEINFO. host and info may be NULL (not
 * known); an empty info is known. The address is text, since a look-up cuts it at its dots. */
struct rules_client {
	const char *ip;
	const char *host;
	const char *info;
};

/* What the file says; the pointers live until the next rules_refresh. */
struct rules_verdict {
	bool found; /* false: no key matched, which is an allow without variables */
	bool deny;
	const char *key; /* the one that matched, without a NUL */
	size_t key_len;
	const char *next; /* see rules_variable */
	const char *end;
};

/* Remembers the path (which must live as long) and reads nothing yet. NULL with ENOMEM. */
struct rules *rules_open(const char *path) __attribute__((warn_unused_result));
void rules_close(struct rules *r);

/* Makes sure that what we hold is what the path names now. */
int rules_refresh(struct rules *r) __attribute__((warn_unused_result));

int rules_find(struct rules *r, const struct rules_client *who, struct rules_verdict *v)
	__attribute__((warn_unused_result));

/* From now on each key that rules_find looks for is told: v is what was found, or NULL. */
void rules_trace(struct rules *r,
	void (*tried)(void *arg, const char *key, size_t n, const struct rules_verdict *v), void *arg);

/* The file as it is, in its order; each returns -1 to stop. Only behind a rules_refresh that succeeded. */
struct rules_record {
	const char *key;
	size_t key_len;
	const char *data;
	size_t data_len;
};
int rules_each(struct rules *r, int (*each)(void *arg, const struct rules_record *record), void *arg)
	__attribute__((warn_unused_result));

/* One variable after the other as "NAME=value" with a NUL, *n without it; NULL when there are no more. */
const char *rules_variable(struct rules_verdict *v, size_t *n);

/* Writing: data is put together in a str, records go into the file behind fd, which is empty, in the order
 * they come. Memory is 8 bytes a record and 16 for each of the 1/256 of them that share a table. A file whose
 * end would not be below 4 GiB is EFBIG: that is where a cdb ends. */
struct rules_make;

void rules_put_deny(struct str *data);
void rules_put_variable(
	struct str *data, const char *name, size_t name_len, const char *value, size_t value_len);

struct rules_make *rules_make_open(int fd) __attribute__((warn_unused_result));
int rules_make_add(struct rules_make *m, const char *key, size_t key_len, const char *data, size_t data_len)
	__attribute__((warn_unused_result));
/* Writes the tables and frees m, also on an error. The descriptor stays the caller's. */
int rules_make_finish(struct rules_make *m) __attribute__((warn_unused_result));

#endif
