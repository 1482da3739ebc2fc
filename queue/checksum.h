/* queue/checksum.h - what tells whole bytes from damaged ones.
 *
 * Shape   keyed: a message may hold the very bytes of a record, and still be none, since whoever sent it does not
 *         know the key of this queue.
 * Source  XXH3 of libxxhash, 64 bits, with a secret. */
#ifndef QUEUE_CHECKSUM_H
#define QUEUE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

enum { CHECKSUM_KEY = 16 };

struct checksum {
	unsigned char secret[192];
};

void checksum_init(struct checksum *c, const unsigned char key[CHECKSUM_KEY]);
uint64_t checksum_of(const struct checksum *c, const void *p, size_t n);

/* Piece by piece. NULL with ENOMEM. */
struct checksum_sum;
struct checksum_sum *checksum_begin(const struct checksum *c) __attribute__((warn_unused_result));
void checksum_add(struct checksum_sum *s, const void *p, size_t n);
uint64_t checksum_end(struct checksum_sum *s); /* frees it */

#endif
