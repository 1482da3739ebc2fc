#include "mail/envelope.h"

#include "tests/unit/tap.h"

static void test_write_and_read(void)
{
	static const char want[] = "Fs@a.example\0Tr@b.example\0Tq@c.example\0";
	char memory[256];
	struct envelope e, back;
	const char *r;

	envelope_init(&e, memory, sizeof memory);
	tap_ok(envelope_start(&e, "s@a.example") && envelope_add(&e, "r@b.example") &&
			envelope_add(&e, "q@c.example") && envelope_finish(&e),
		"an envelope is written");
	tap_ok(e.len == sizeof want && memcmp(memory, want, sizeof want) == 0, "in qmail-queue's form");
	envelope_init(&back, memory, sizeof memory);
	for (size_t n = 0; n < e.len; n++)
		if (envelope_check(&back, n) != ENVELOPE_CUT)
			tap_ok(false, "a part of it is cut");
	tap_ok(envelope_check(&back, e.len) == ENVELOPE_WHOLE && back.recipients == 2, "it reads back");
	tap_same(envelope_sender(&back), "s@a.example", "sender");
	r = envelope_next(&back, NULL);
	tap_same(r, "r@b.example", "first recipient");
	r = envelope_next(&back, r);
	tap_same(r, "q@c.example", "second recipient");
	tap_ok(envelope_next(&back, r) == NULL, "no third");
}

/* All of it, NUL as '|'. */
static const char *shown(const struct envelope *e)
{
	static char text[256];

	for (size_t i = 0; i < e->len; i++)
		text[i] = (char)(e->bytes[i] == '\0' ? '|' : e->bytes[i]);
	text[e->len] = '\0';
	return text;
}

static void test_changes(void)
{
	char memory[80];
	struct envelope e;

	envelope_init(&e, memory, sizeof memory);
	tap_ok(envelope_start(&e, "s@a.example") && envelope_note(&e, ENVELOPE_RET, "FULL", 4) &&
			envelope_add(&e, "r@b.example") && envelope_note(&e, ENVELOPE_NOTIFY, "NEVER", 5) &&
			envelope_note(&e, ENVELOPE_ORCPT, "x", 1) && envelope_add(&e, "q@c.example"),
		"an envelope with notes");
	tap_ok(envelope_has(&e, "r@B.example") && envelope_has(&e, "q@c.example") &&
			!envelope_has(&e, "R@b.example") && !envelope_has(&e, "s@a.example"),
		"who is in it: domains without case, and no sender");
	tap_ok(envelope_set_sender(&e, "longer@a.example"), "a longer sender");
	envelope_remove(&e, "r@b.EXAMPLE");
	envelope_remove(&e, "nobody@c.example");
	tap_same(shown(&e), "Flonger@a.example|rFULL|Tq@c.example|", "a recipient goes with its notes");
	tap_ok(e.recipients == 1, "and is not counted any more");
	tap_ok(envelope_set_sender(&e, ""), "no sender");
	envelope_remove(&e, "q@c.example");
	tap_same(shown(&e), "F|rFULL|", "and nobody left");
	tap_ok(e.recipients == 0 && envelope_add(&e, "n@d.example") && envelope_has(&e, "n@d.example"),
		"somebody new");
	memset(memory + 30, 'x', sizeof memory - 30);
	tap_ok(!envelope_set_sender(
		       &e, "a.sender.that.is.longer.than.all.the.room.there.is.in.this.envelope@a.example"),
		"a sender without room");
	tap_same(shown(&e), "F|rFULL|Tn@d.example|", "changes nothing");
}

static void test_broken(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum envelope_check want;
		size_t recipients;
		const char *name;
	} cases[] = {
		{ "", 0, ENVELOPE_CUT, 0, "nothing" },
		{ "F", 1, ENVELOPE_CUT, 0, "a letter" },
		{ "F\0", 2, ENVELOPE_CUT, 0, "the null sender, cut" },
		{ "F\0\0", 3, ENVELOPE_WHOLE, 0, "no recipients" },
		{ "F\0T\0\0", 5, ENVELOPE_WHOLE, 1, "an empty recipient" },
		{ "F\0Ta\0\0Tb\0", 9, ENVELOPE_WHOLE, 1, "what follows is not read" },
		{ "Ta\0\0", 4, ENVELOPE_BAD, 0, "a recipient first" },
		{ "Fa\0Xb\0\0", 7, ENVELOPE_BAD, 0, "an unknown letter" },
		{ "\0", 1, ENVELOPE_BAD, 0, "no sender" },
	};
	char memory[64];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct envelope e;
		enum envelope_check got;

		memcpy(memory, cases[i].bytes, cases[i].n);
		envelope_init(&e, memory, sizeof memory);
		got = envelope_check(&e, cases[i].n);
		tap_ok(got == cases[i].want &&
				(got != ENVELOPE_WHOLE || e.recipients == cases[i].recipients),
			cases[i].name);
	}
}

static void test_limits(void)
{
	static char memory[2 * ENVELOPE_ADDRESS_MAX + 64];
	char address[ENVELOPE_ADDRESS_MAX + 2];
	struct envelope e;

	memset(address, 'a', sizeof address);
	address[ENVELOPE_ADDRESS_MAX + 1] = '\0';
	envelope_init(&e, memory, sizeof memory);
	tap_ok(!envelope_start(&e, address), "1003 bytes are too many to write");
	memory[0] = 'F';
	memcpy(memory + 1, address, sizeof address);
	tap_ok(envelope_check(&e, sizeof address + 1) == ENVELOPE_TOO_LONG, "and to read");
	memory[ENVELOPE_ADDRESS_MAX + 1] = '\0';
	memory[ENVELOPE_ADDRESS_MAX + 2] = '\0';
	tap_ok(envelope_check(&e, ENVELOPE_ADDRESS_MAX + 3) == ENVELOPE_WHOLE, "1002 are not");
	envelope_init(&e, memory, 10);
	tap_ok(envelope_start(&e, "abc") && !envelope_add(&e, "abc") && e.recipients == 0 &&
			envelope_finish(&e),
		"full memory refuses and can still be finished");
}

static void test_notes(void)
{
	char bytes[] = "Fs@a\0rFULL\0iid\0Tr@b\0nNEVER\0Tq@b\0ox;y\0";
	struct envelope e;
	const char *first, *second;

	envelope_init(&e, bytes, sizeof bytes);
	tap_ok(envelope_check(&e, sizeof bytes) == ENVELOPE_WHOLE, "an envelope with notes");
	first = envelope_next(&e, NULL);
	second = envelope_next(&e, first);
	tap_same(envelope_find_note(envelope_sender(&e), 'i'), "id", "a note on the sender");
	tap_same(envelope_find_note(first, 'n'), "NEVER", "on a recipient");
	tap_same(envelope_find_note(second, 'o'), "x;y", "on the last");
	tap_ok(envelope_find_note(envelope_sender(&e), 'n') == NULL &&
			envelope_find_note(first, 'o') == NULL && envelope_find_note(second, 'n') == NULL,
		"nobody has another's");
}

int main(void)
{
	test_notes();
	test_write_and_read();
	test_changes();
	test_broken();
	test_limits();
	return tap_end();
}
