#include "queue/ring.h"

/* A list is a circle through its head, whose number has a bit that no row of a recipient has. */
enum { HEAD_BIT = 31 };

struct head {
	uint32_t link, back;
	uint32_t owner;
};

static bool is_head(uint32_t number)
{
	return number >> HEAD_BIT != 0;
}

static struct head *head_at(const struct ring *r, uint32_t number)
{
	return pool_at(&r->heads, number & ~((uint32_t)1 << HEAD_BIT));
}

static uint32_t *link_of(const struct ring *r, uint32_t number)
{
	return is_head(number) ? &head_at(r, number)->link : &table_recipient(r->table, number)->link;
}

static uint32_t *back_of(const struct ring *r, uint32_t number)
{
	return is_head(number) ? &head_at(r, number)->back : &table_recipient(r->table, number)->back;
}

static void join(const struct ring *r, uint32_t one, uint32_t other)
{
	*link_of(r, one) = other;
	*back_of(r, other) = one;
}

void ring_init(struct ring *r, struct table *t)
{
	r->table = t;
	pool_init(&r->heads, sizeof(struct head));
}

void ring_free(struct ring *r)
{
	pool_free(&r->heads);
}

uint32_t ring_open(struct ring *r, uint32_t owner)
{
	uint32_t head = pool_take(&r->heads);

	if (head == 0)
		return 0;
	head |= (uint32_t)1 << HEAD_BIT;
	head_at(r, head)->owner = owner;
	join(r, head, head);
	return head;
}

void ring_close(struct ring *r, uint32_t head)
{
	pool_give(&r->heads, head & ~((uint32_t)1 << HEAD_BIT));
}

uint32_t ring_owner(const struct ring *r, uint32_t head)
{
	return head_at(r, head)->owner;
}

void ring_append(struct ring *r, uint32_t head, uint32_t row)
{
	join(r, *back_of(r, head), row);
	join(r, row, head);
}

uint32_t ring_remove(struct ring *r, uint32_t row)
{
	uint32_t link = *link_of(r, row), back = *back_of(r, row);

	join(r, back, link);
	return link == back && is_head(link) ? link : 0;
}

uint32_t ring_first(const struct ring *r, uint32_t head)
{
	uint32_t first = *link_of(r, head);

	return is_head(first) ? 0 : first;
}

void ring_splice(struct ring *r, uint32_t from, uint32_t to)
{
	uint32_t first = ring_first(r, from), last = *back_of(r, from);

	if (first == 0)
		return;
	join(r, *back_of(r, to), first);
	join(r, last, to);
	join(r, from, from);
}
