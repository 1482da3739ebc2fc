#include "queue/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"
#include "queue/index.h"
#include "queue/pool.h"

_Static_assert(sizeof(struct message) <= 40, "a million of them fit");
_Static_assert(sizeof(struct recipient) <= 28, "a million of them fit");
_Static_assert((int)TABLE_KEY == (int)SIPHASH_KEY, "one key");

struct table {
	struct pool messages;
	struct pool recipients;
	struct index ids;
	uint8_t key[TABLE_KEY];
};

/* Our own numbers: nobody outside chooses them. */
static uint32_t hash_of_id(const void *row)
{
	const struct message *m = row;

	return index_mix(m->id);
}

struct table *table_open(const uint8_t *key)
{
	struct table *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	if (key != NULL) {
		memcpy(t->key, key, sizeof t->key);
	} else if (getrandom(t->key, sizeof t->key, 0) != (ssize_t)sizeof t->key) {
		free(t);
		return NULL;
	}
	pool_init(&t->messages, sizeof(struct message));
	pool_init(&t->recipients, sizeof(struct recipient));
	index_init(&t->ids, &t->messages, offsetof(struct message, chain), hash_of_id);
	return t;
}

void table_close(struct table *t)
{
	if (t == NULL)
		return;
	index_free(&t->ids);
	pool_free(&t->recipients);
	pool_free(&t->messages);
	free(t);
}

const uint8_t *table_key(const struct table *t)
{
	return t->key;
}

int table_use_key(struct table *t, const uint8_t key[TABLE_KEY])
{
	if (t->messages.count > 0) {
		errno = EBUSY;
		return -1;
	}
	memcpy(t->key, key, sizeof t->key);
	return 0;
}

static void give_recipients(struct table *t, uint32_t row)
{
	while (row != 0) {
		uint32_t next = table_recipient(t, row)->next;

		pool_give(&t->recipients, row);
		row = next;
	}
}

/* The first of them, or 0: none is taken then. */
static uint32_t take_recipients(struct table *t, uint32_t message, uint32_t n)
{
	uint32_t first = 0, last = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t row = pool_take(&t->recipients);

		if (row == 0) {
			give_recipients(t, first);
			return 0;
		}
		table_recipient(t, row)->message = message;
		if (last == 0)
			first = row;
		else
			table_recipient(t, last)->next = row;
		last = row;
	}
	return first;
}

uint32_t table_add(struct table *t, uint64_t id, uint32_t recipients)
{
	uint32_t row = pool_take(&t->messages);
	struct message *m;

	if (row == 0)
		return 0;
	m = table_message(t, row);
	m->id = id;
	m->recipients = take_recipients(t, row, recipients);
	if (m->recipients == 0 && recipients > 0)
		goto undo;
	if (index_put(&t->ids, row) == -1) {
		give_recipients(t, m->recipients);
		goto undo;
	}
	return row;
undo:
	pool_give(&t->messages, row);
	errno = ENOMEM;
	return 0;
}

void table_remove(struct table *t, uint32_t message)
{
	index_drop(&t->ids, message);
	give_recipients(t, table_message(t, message)->recipients);
	pool_give(&t->messages, message);
}

uint32_t table_find(const struct table *t, uint64_t id)
{
	uint32_t row = index_first(&t->ids, index_mix(id));

	while (row != 0 && ((const struct message *)pool_at(&t->messages, row))->id != id)
		row = index_next(&t->ids, row);
	return row;
}

struct message *table_message(struct table *t, uint32_t row)
{
	return pool_at(&t->messages, row);
}

struct recipient *table_recipient(struct table *t, uint32_t row)
{
	return pool_at(&t->recipients, row);
}

uint32_t table_each(const struct table *t, uint32_t message)
{
	return pool_each(&t->messages, message);
}

uint32_t table_each_recipient(const struct table *t, uint32_t recipient)
{
	return pool_each(&t->recipients, recipient);
}

size_t table_messages(const struct table *t)
{
	return t->messages.count;
}

size_t table_recipients(const struct table *t)
{
	return t->recipients.count;
}

size_t table_bytes(const struct table *t)
{
	return sizeof *t + t->messages.bytes + t->recipients.bytes + t->ids.bytes;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* In pieces, each hashed with the hash of those before it: an address may be as long as it likes. */
uint32_t table_hash(const struct table *t, const char *address)
{
	char piece[256];
	uint64_t hash = 0;

	do {
		size_t n = sizeof hash;

		memcpy(piece, &hash, sizeof hash);
		while (n < sizeof piece && *address != '\0')
			piece[n++] = lower(*address++);
		hash = siphash(t->key, piece, n);
	} while (*address != '\0');
	return (uint32_t)hash;
}

uint32_t table_hash_domain(const struct table *t, const char *address)
{
	const char *at = strrchr(address, '@');

	return table_hash(t, at == NULL ? "" : at + 1);
}
