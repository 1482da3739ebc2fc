/* net/rules_verify.h - is this cdb whole? For rules_image.c.
 *
 * Shape   the complete file in memory. Accepted is what a cdb writer makes of rules and nothing else:
 *         256 tables, one behind the other up to the end of the file; records that tile the space between
 *         the pointers and the first table; each record in exactly one slot of the right table, reachable
 *         from its hash; twice as many slots as records; data of the grammar in rules.h.
 * Why     a reader that checks only what it touches takes a deny for "no such record" when one byte of a
 *         table is damaged, and lets the client in.
 * Cost    linear in the size, whatever the bytes are, and in their order; no memory.
 * Errors  0, or -1 with EPROTO (damaged), or what record said.
 * Source  cdb(5). */
#ifndef NET_RULES_VERIFY_H
#define NET_RULES_VERIFY_H

#include <stddef.h>

enum { RULES_POINTERS = 2048 }; /* the first record's place: 256 pairs of u32 come before */

/* Called for each record, in the order of the file. */
struct rules_visit {
	int (*record)(void *arg, unsigned pos, const unsigned char *key, size_t key_len);
	void *arg;
};

int rules_verify(const unsigned char *file, size_t size, const struct rules_visit *visit)
	__attribute__((warn_unused_result));

#endif
