#include "mail/header.h"

#include "tests/unit/tap.h"

static const struct {
	const char *text;
	unsigned hops;
	bool over;
} cases[] = {
	{ "Received: a\nReceived: b\n\nReceived: body\n", 2, true },
	{ "RECEIVED: a\ndelivered-to: b\nSubject: c\n\n", 2, true },
	{ "Received-SPF: pass\nX-Received: x\nReceivedx: y\n", 0, false },
	{ " Received: folded\n\tReceived: folded\n", 0, false },
	{ "Received", 0, false },
	{ "Received:\n", 1, false },
	{ "\nReceived: a\n", 0, true },
	{ "", 0, false },
};

static bool counts(size_t at, size_t piece)
{
	struct header_hops h;
	size_t len = strlen(cases[at].text);

	header_hops_init(&h);
	for (size_t used = 0; used < len; used += piece)
		header_hops_feed(&h, cases[at].text + used, len - used < piece ? len - used : piece);
	return h.hops == cases[at].hops && h.over == cases[at].over;
}

int main(void)
{
	char memory[64], name[64];
	struct str date;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t piece = 1; piece <= 100; piece *= 10) {
			snprintf(name, sizeof name, "case %zu in pieces of %zu", i, piece);
			tap_ok(counts(i, piece), name);
		}
	str_init(&date, memory, sizeof memory);
	header_date(&date, 1795488067);
	tap_same(date.s, "24 Nov 2026 02:41:07 -0000", "a date");
	str_reset(&date);
	header_date(&date, 0);
	tap_same(date.s, "1 Jan 1970 00:00:00 -0000", "the first one, without a leading zero");
	return tap_end();
}
