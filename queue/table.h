/* queue/table.h - what is queued, in memory: a row a message and a row a recipient.
 *
 * Shape   rows have numbers; 0 is none. A number stays while its row lives and is used again after it; the address
 *         of a row may change whenever one is added. Addresses of mail stay on disk: a recipient is known by its
 *         place in the envelope, its next hop and its sender by a hash.
 *         The hashes have a key that nobody outside knows, so nobody can aim at one bucket, or at another's turn. They
 *         are the same after a restart only if the key is: the store keeps it beside what it keeps of the table.
 * Units   times are seconds since 1970, up to 2106. About 75 bytes a message with one recipient (a test counts).
 * Cost    all O(1), none grows by more than a step at a time; table_remove and table_add one step a recipient. What
 *         a large queue needed is given back when it has gone.
 * Errors  0 or -1 with ENOMEM; nothing has changed then. */
#ifndef QUEUE_TABLE_H
#define QUEUE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum table_flag {
	TABLE_HELD = 1,    /* by an administrator: no attempt until it is released */
	TABLE_BOUNCE = 2,  /* a bounce, or a bounce of a bounce: its sender is empty or #@[] */
	TABLE_SHELVED = 4, /* its bytes are a file of the shelf, not a record of the log */
	TABLE_ARRIVING = 8 /* its record is on the way to the disk: it is not queued yet */
};

enum { TABLE_KEY = 16 };

enum table_state { TABLE_TODO, TABLE_DONE, TABLE_FAILED };

struct message {
	uint64_t id;
	uint64_t place; /* the store's own */
	uint32_t bytes; /* of the message, with the Received line of the queue */
	uint32_t born;
	uint32_t sender;     /* hash: whose turn it is */
	uint32_t recipients; /* row of the first */
	uint32_t chain;      /* the table's own */
	uint16_t flags;      /* enum table_flag */
	uint16_t spare;
};

struct recipient {
	uint32_t message; /* row */
	uint32_t next;    /* row of the same message's next one */
	uint32_t
		hop; /* hash: who it waits for; of the domain in lower case, until it is routed otherwise */
	uint32_t due;  /* not before */
	uint32_t link; /* the schedule's own, */
	uint32_t back; /* and this */
	uint16_t tries;
	uint8_t state; /* enum table_state */
	uint8_t mark;  /* the schedule's own */
};

struct table;

/* key NULL: a random one. NULL with errno. */
struct table *table_open(const uint8_t *key) __attribute__((warn_unused_result));
void table_close(struct table *t);

/* The key of its hashes, and another one: the same that what is on disk was hashed with. -1 with EBUSY: there are rows
 * already. */
const uint8_t *table_key(const struct table *t);
int table_use_key(struct table *t, const uint8_t key[TABLE_KEY]) __attribute__((warn_unused_result));

/* A message with so many recipients, each TABLE_TODO, in the order of the envelope. Row, or 0 with ENOMEM.
 * The caller sets what else is in it; an id comes once. */
uint32_t table_add(struct table *t, uint64_t id, uint32_t recipients) __attribute__((warn_unused_result));
void table_remove(struct table *t, uint32_t message);

uint32_t table_find(const struct table *t, uint64_t id);
struct message *table_message(struct table *t, uint32_t row);
struct recipient *table_recipient(struct table *t, uint32_t row);

/* All messages, in no order: 0 begins, 0 ends. Rows added or removed meanwhile may be met or not; all others once. */
uint32_t table_each(const struct table *t, uint32_t message);
uint32_t table_each_recipient(const struct table *t, uint32_t recipient);

size_t table_messages(const struct table *t);
size_t table_recipients(const struct table *t);
size_t table_bytes(const struct table *t); /* of memory */

/* 32 bits of an address's domain (without it: of nothing) in lower case, and of a whole address. */
uint32_t table_hash_domain(const struct table *t, const char *address);
uint32_t table_hash(const struct table *t, const char *address);

#endif
