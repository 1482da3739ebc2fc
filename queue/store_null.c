#include "queue/store_null.h"

#include <stdlib.h>

struct null_store {
	struct store_events events;
	uint32_t count;
	uint64_t bytes;
	struct null_message *first; /* finished, and not yet said to be kept */
	struct null_message **last;
};

struct null_message {
	struct null_store *store;
	struct null_message *next;
	void *owner;
	uint64_t bytes;
};

/* Nobody but this file looks into what it gives out as a store and its messages. */
static struct null_store *store_of(struct store *s)
{
	return (struct null_store *)(void *)s;
}

static struct null_message *message_of(struct store_message *m)
{
	return (struct null_message *)(void *)m;
}

struct store *store_null_open(const struct store_events *e)
{
	struct null_store *n = calloc(1, sizeof *n);

	if (n == NULL)
		return NULL;
	n->events = *e;
	n->last = &n->first;
	return (struct store *)(void *)n;
}

static struct store_message *begin(struct store *s, void *owner, const char *head, size_t n)
{
	struct null_message *m = calloc(1, sizeof *m);

	(void)head;
	if (m == NULL)
		return NULL;
	m->store = store_of(s);
	m->owner = owner;
	m->bytes = n;
	return (struct store_message *)(void *)m;
}

static bool busy(const struct store_message *m)
{
	(void)m;
	return false;
}

static int put(struct store_message *m, const void *p, size_t n)
{
	(void)p;
	message_of(m)->bytes += n;
	return 0;
}

static void finish(struct store_message *message, const struct envelope *e, const struct store_origin *from)
{
	struct null_message *m = message_of(message);

	(void)e;
	(void)from;
	m->store->bytes += m->bytes;
	*m->store->last = m;
	m->store->last = &m->next;
}

static void abandon(struct store_message *m)
{
	free(message_of(m));
}

const struct store_ops store_null_ops = {
	.begin = begin, .busy = busy, .write = put, .finish = finish, .abandon = abandon
};

void store_null_turn(struct store *s)
{
	struct null_store *n = store_of(s);
	struct null_message *m;

	while ((m = n->first) != NULL) {
		n->first = m->next;
		if (n->first == NULL)
			n->last = &n->first;
		n->events.kept(n->events.arg, m->owner, ++n->count, NULL, NULL);
		free(m);
	}
}

uint64_t store_null_bytes(const struct store *s)
{
	return ((const struct null_store *)(const void *)s)->bytes;
}

void store_null_close(struct store *s)
{
	struct null_store *n = store_of(s);
	struct null_message *m;

	while ((m = n->first) != NULL) {
		n->first = m->next;
		free(m);
	}
	free(n);
}
