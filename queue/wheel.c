#include "queue/wheel.h"

enum { LEVEL_BITS = 8 };

int wheel_init(struct wheel *w, struct ring *r, uint32_t now)
{
	*w = (struct wheel){ .ring = r, .now = now };
	w->due = ring_open(r, 0);
	w->dealing = ring_open(r, 0);
	if (w->due == 0 || w->dealing == 0)
		return -1;
	for (int level = 0; level < WHEEL_LEVELS; level++)
		for (int slot = 0; slot < WHEEL_SLOTS; slot++)
			if ((w->slots[level][slot] = ring_open(r, 0)) == 0)
				return -1;
	return 0;
}

static unsigned slot_of(uint32_t time, int level)
{
	return time >> (LEVEL_BITS * level) & (WHEEL_SLOTS - 1);
}

/* The wheel whose hand has to move before that time: that of the highest byte in which it is not now. */
static int level_of(const struct wheel *w, uint32_t due)
{
	return (31 - __builtin_clz(due ^ w->now)) / LEVEL_BITS;
}

void wheel_put(struct wheel *w, uint32_t row)
{
	uint32_t due = table_recipient(w->ring->table, row)->due;
	unsigned slot;
	int level;

	if (due <= w->now) {
		ring_append(w->ring, w->due, row);
		return;
	}
	level = level_of(w, due);
	slot = slot_of(due, level);
	ring_append(w->ring, w->slots[level][slot], row);
	w->used[level][slot / 64] |= (uint64_t)1 << slot % 64;
}

static void deal(struct wheel *w, int *rows)
{
	uint32_t row;

	for (; *rows > 0 && (row = ring_first(w->ring, w->dealing)) != 0; --*rows) {
		ring_remove(w->ring, row);
		wheel_put(w, row);
	}
}

/* The first one in use behind the hand of this wheel; WHEEL_SLOTS: none. */
static unsigned next_slot(struct wheel *w, int level)
{
	for (unsigned slot = slot_of(w->now, level) + 1; slot < WHEEL_SLOTS; slot++) {
		uint64_t word = w->used[level][slot / 64] & ~(uint64_t)0 << slot % 64;

		if (word == 0) {
			slot |= 63;
			continue;
		}
		slot = slot / 64 * 64 + (unsigned)__builtin_ctzll(word);
		if (ring_first(w->ring, w->slots[level][slot]) != 0)
			return slot;
		w->used[level][slot / 64] &= ~((uint64_t)1 << slot % 64);
	}
	return WHEEL_SLOTS;
}

struct stop {
	uint32_t time;
	int level; /* -1: there is none */
	unsigned slot;
};

/* Where the hands stop next. What is on a finer wheel comes before all that is on a coarser one. */
static struct stop next_stop(struct wheel *w)
{
	for (int level = 0; level < WHEEL_LEVELS; level++) {
		unsigned slot = next_slot(w, level);
		int above = LEVEL_BITS * (level + 1);

		if (slot < WHEEL_SLOTS)
			return (struct stop){
				.time = (above == 32 ? 0 : w->now >> above << above) |
					(uint32_t)slot << (LEVEL_BITS * level),
				.level = level,
				.slot = slot,
			};
	}
	return (struct stop){ .time = UINT32_MAX, .level = -1 };
}

bool wheel_turn(struct wheel *w, uint32_t now, int rows)
{
	for (;;) {
		struct stop stop;

		deal(w, &rows);
		if (ring_first(w->ring, w->dealing) != 0)
			return true;
		stop = next_stop(w);
		if (stop.level == -1 || stop.time > now)
			break;
		w->now = stop.time;
		ring_splice(
			w->ring, w->slots[stop.level][stop.slot], stop.level == 0 ? w->due : w->dealing);
	}
	if (now > w->now)
		w->now = now;
	return false;
}

uint32_t wheel_next(struct wheel *w)
{
	if (ring_first(w->ring, w->due) != 0 || ring_first(w->ring, w->dealing) != 0)
		return w->now;
	return next_stop(w).time;
}

void wheel_all(struct wheel *w, uint32_t now)
{
	ring_splice(w->ring, w->dealing, w->due);
	for (int level = 0; level < WHEEL_LEVELS; level++)
		for (int slot = 0; slot < WHEEL_SLOTS; slot++)
			ring_splice(w->ring, w->slots[level][slot], w->due);
	w->now = now;
}
