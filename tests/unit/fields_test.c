/* The header as a list: where it ends, what a milter's indexes mean, and that a value makes no second field. */
#include "mail/fields.h"

#include "tests/unit/tap.h"

static struct fields f;
static char room[4096];

/* All fields behind one another, LF as '|'. */
static const char *shown(void)
{
	size_t n = 0;

	for (size_t i = 0; i < f.count; i++)
		for (size_t k = 0; k < f.list[i].len && n < sizeof room - 1; k++, n++)
			room[n] = (char)(f.list[i].text[k] == '\n' ? '|' : f.list[i].text[k]);
	room[n] = '\0';
	return room;
}

static const struct {
	const char *text;
	size_t used, count;
	bool separated, cut;
} ends[] = {
	{ "A: b\n\nbody\n", 5, 1, true, false },
	{ "A: b\nC: d\n e\n\nbody\n", 13, 2, true, false },
	{ "A: b\nno field\n", 5, 1, false, false },
	{ "A: b\n", 5, 1, false, true },
	{ "A: b\nC: d", 5, 1, false, true },
	{ "A: b\nC: d\n e", 5, 1, false, true },
	{ "A: b\nC", 5, 1, false, true },
	{ "\nbody\n", 0, 0, true, false },
	{ " folded nothing\nA: b\n", 0, 0, false, false },
	{ "From x Mon\nA: b\n\n", 0, 0, false, false },
	{ "A : b\nB\t:c\n\n", 11, 2, true, false },
	{ ": b\n\n", 0, 0, false, false },
	{ "", 0, 0, false, true },
};

static void test_ends(void)
{
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		const size_t used = fields_parse(&f, ends[i].text, strlen(ends[i].text));
		char name[64];

		snprintf(name, sizeof name, "where header %zu ends", i);
		tap_ok(used == ends[i].used && f.count == ends[i].count &&
				f.separated == ends[i].separated && f.cut == ends[i].cut,
			name);
	}
}

static const char header[] =
	"Received: ours\n by us\nReceived: theirs\nSubject:  a\n b\nX:\ty\nsubject: c\n\n";

static void parse(void)
{
	if (fields_parse(&f, header, sizeof header - 1) != sizeof header - 2)
		tap_ok(false, "the header is parsed");
}

static void value_is(size_t i, bool leading, const char *want, const char *name)
{
	const char *value;
	const size_t n = field_value(&f.list[i], leading, &value);

	tap_ok(n == strlen(want) && memcmp(value, want, n) == 0, name);
}

static void test_values(void)
{
	parse();
	tap_ok(f.own == 0, "the first Received is the server's own");
	value_is(2, false, " a\n b", "one blank behind the colon is not the value's");
	value_is(2, true, "  a\n b", "unless that was agreed");
	value_is(3, false, "\ty", "a tab always is");
}

static void test_edits(void)
{
	parse();
	fields_add(&f, "New", "v", false);
	fields_insert(&f, 0, "Top", " v", true);
	fields_insert(&f, 2, "Third", "v", false);
	fields_insert(&f, 99, "Last", "v", false);
	tap_same(shown(),
		"Top: v|Received: ours| by us|Third: v|Received: theirs|Subject:  a| b|X:\ty|subject: c|"
		"New: v|Last: v|",
		"added at the end, inserted by index");
	tap_ok(f.own == 1 && f.edited && !f.full, "and the server's own field is still known");
	fields_change(&f, 1, "received", "changed", false);
	tap_same(shown(),
		"Top: v|Received: ours| by us|Third: v|received: changed|Subject:  a| b|X:\ty|subject: c|"
		"New: v|Last: v|",
		"which changes do not count");
	parse();
	fields_change(&f, 2, "Subject", "new", false);
	fields_change(&f, 0, "X", "", false);
	fields_change(&f, 1, "Subject", "", false);
	fields_change(&f, 3, "Subject", "", false);
	tap_same(shown(), "Received: ours| by us|Received: theirs|Subject: new|", "changed and deleted");
	fields_change(&f, 7, "Y", "z", false);
	tap_same(shown(), "Received: ours| by us|Received: theirs|Subject: new|Y: z|",
		"what is not there is added");
}

static void test_folding(void)
{
	parse();
	f.count = 0;
	f.own = FIELDS_MAX;
	fields_add(&f, "A", "one\r\n two\n\tthree", false);
	fields_add(&f, "B", "x\nBcc: y\r\n\r\nbody", false);
	fields_add(&f, "C", "end\r\n", false);
	tap_same(shown(), "A: one| two|\tthree|B: x|\tBcc: y|\t|\tbody|C: end|",
		"line ends are folded, and make no field and no end of the header");
}

static void test_limits(void)
{
	static char large[FIELDS_ROOM];

	parse();
	for (int i = 0; i <= FIELDS_MAX; i++)
		fields_insert(&f, 0, "A", "b", false);
	tap_ok(f.full && f.count == FIELDS_MAX, "too many fields");
	parse();
	tap_ok(!f.full, "the next message begins anew");
	memset(large, 'x', sizeof large - 1);
	fields_add(&f, "A", large, false);
	tap_ok(f.full, "too much text");
}

int main(void)
{
	test_ends();
	test_values();
	test_edits();
	test_folding();
	test_limits();
	return tap_end();
}
