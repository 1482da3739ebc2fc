#include "mail/dotline.h"

#include "tests/unit/tap.h"

enum { ROOM = 4096 };

static const struct {
	const char *wire;
	const char *text; /* what comes out */
	const char *rest; /* what stands behind the end; NULL: no end in it */
	enum dotline_fault fault;
	unsigned fault_at;
	bool fix;
} cases[] = {
	{ ".\r\n", "", "", DOTLINE_CLEAN, 0, false },
	{ "a\r\n.\r\nQUIT\r\n", "a\n", "QUIT\r\n", DOTLINE_CLEAN, 0, false },
	{ "\r\n\r\n.\r\n", "\n\n", "", DOTLINE_CLEAN, 0, false },
	{ "..\r\n.\r\n", ".\n", "", DOTLINE_CLEAN, 0, false },
	{ ".a\r\n.\r\n", "a\n", "", DOTLINE_CLEAN, 0, false },
	{ "a.\r\n.\r\n", "a.\n", "", DOTLINE_CLEAN, 0, false },
	{ "...\r\n.\r\n", "..\n", "", DOTLINE_CLEAN, 0, false },
	{ "a\r\n", "a\n", NULL, DOTLINE_CLEAN, 0, false },
	{ "a\r\n.", "a\n", NULL, DOTLINE_CLEAN, 0, false },
	{ "a\r\n.\r", "a\n", NULL, DOTLINE_CLEAN, 0, false },
	/* what has ended messages elsewhere: none of these is an end */
	{ "a\n.\nb\r\n.\r\n", "a\n.\nb\n", "", DOTLINE_BARE_LF, 1, false },
	{ "a\n.\r\nb\r\n.\r\n", "a\n.\nb\n", "", DOTLINE_BARE_LF, 1, false },
	{ "a\r\n.\nb\r\n.\r\n", "a\n\nb\n", "", DOTLINE_BARE_LF, 4, false },
	{ "a\r.\rb\r\n.\r\n", "a\r.\rb\n", "", DOTLINE_BARE_CR, 1, false },
	{ "a\r.\r\nb\r\n.\r\n", "a\r.\nb\n", "", DOTLINE_BARE_CR, 1, false },
	{ "a\r\n.\rb\r\n.\r\n", "a\n\rb\n", "", DOTLINE_BARE_CR, 4, false },
	{ "a\r\n.\r\r\nb\r\n.\r\n", "a\n\r\nb\n", "", DOTLINE_BARE_CR, 4, false },
	{ "a\r\r\n.\r\n", "a\r\n", "", DOTLINE_BARE_CR, 1, false },
	{ "a\r\n.\0\r\nb\r\n.\r\n", "a\n", NULL, DOTLINE_CLEAN, 0,
		false }, /* cut at the NUL by this table */
	{ "\n.\r\n\r\n.\r\n", "\n.\n\n", "", DOTLINE_BARE_LF, 0, false },
	{ "\r", "", NULL, DOTLINE_CLEAN, 0, false },
	{ "\ra\r\n.\r\n", "\ra\n", "", DOTLINE_BARE_CR, 0, false },
	/* put right: each ends a line, and none the text */
	{ "a\nb\r\n.\r\n", "a\nb\n", "", DOTLINE_BARE_LF, 1, true },
	{ "a\rb\r\n.\r\n", "a\nb\n", "", DOTLINE_BARE_CR, 1, true },
	{ "a\n..b\r\n.\r\n", "a\n.b\n", "", DOTLINE_BARE_LF, 1, true },
	{ "a\n.\nb\r\n.\r\n", "a\n\nb\n", "", DOTLINE_BARE_LF, 1, true },
	{ "a\n.\r\nb\r\n.\r\n", "a\n\nb\n", "", DOTLINE_BARE_LF, 1, true },
	{ "a\r\n.\nb\r\n.\r\n", "a\n\nb\n", "", DOTLINE_BARE_LF, 4, true },
	{ "a\r.\rb\r\n.\r\n", "a\n\nb\n", "", DOTLINE_BARE_CR, 1, true },
	{ "a\r.\r\nb\r\n.\r\n", "a\n\nb\n", "", DOTLINE_BARE_CR, 1, true },
	{ "a\r\n.\r\r\nb\r\n.\r\n", "a\n\n\nb\n", "", DOTLINE_BARE_CR, 4, true },
	{ "a\n.", "a\n", NULL, DOTLINE_BARE_LF, 1, true },
};

/* Of BDAT: a dot is a dot, and nothing ends it but the count. */
static const struct {
	const char *wire;
	const char *text;
	bool fix;
	enum dotline_fault fault;
} chunks[] = {
	{ "", "", false, DOTLINE_CLEAN },
	{ ".\r\n..\r\n.", ".\n..\n.", false, DOTLINE_CLEAN },
	{ "a\r\n.\r\nb\r\n", "a\n.\nb\n", false, DOTLINE_CLEAN },
	{ "a\n.\r\n", "a\n.\n", false, DOTLINE_BARE_LF },
	{ "a\n.\r\n", "a\n.\n", true, DOTLINE_BARE_LF },
	{ "a\r", "a\r", false, DOTLINE_BARE_CR },
	{ "a\r", "a\n", true, DOTLINE_BARE_CR },
	{ "a\r.b", "a\n.b", true, DOTLINE_BARE_CR },
};

static bool decodes_chunks(size_t at, size_t piece)
{
	const char *wire = chunks[at].wire;
	size_t len = strlen(wire), used = 0, made = 0, out;
	char text[ROOM];
	struct dotline d;

	dotline_init(&d, chunks[at].fix, false);
	while (used < len) {
		size_t n = len - used < piece ? len - used : piece;

		used += dotline_decode(&d, wire + used, n, text + made, &out);
		made += out;
	}
	dotline_finish(&d, text + made, &out);
	text[made + out] = '\0';
	return !d.ended && strcmp(text, chunks[at].text) == 0 && d.fault == chunks[at].fault;
}

/* In pieces of so many bytes. */
static bool decodes(size_t at, size_t piece)
{
	const char *wire = cases[at].wire;
	size_t len = strlen(wire), used = 0, made = 0;
	char text[ROOM];
	struct dotline d;

	dotline_init(&d, cases[at].fix, true);
	while (used < len && !d.ended) {
		size_t n = len - used < piece ? len - used : piece, out;

		used += dotline_decode(&d, wire + used, n, text + made, &out);
		made += out;
	}
	text[made] = '\0';
	return strcmp(text, cases[at].text) == 0 && d.fault == cases[at].fault &&
	       d.fault_at == cases[at].fault_at && d.ended == (cases[at].rest != NULL) &&
	       (!d.ended || strcmp(wire + used, cases[at].rest) == 0) && d.wire_bytes == used;
}

/* The table is of C strings; these bytes are not. */
static void test_nul_and_8bit(void)
{
	static const char wire[] = "a\0b\xff\r\n.\0\r\n.\r\n";
	char text[ROOM];
	struct dotline d;
	size_t out, used;

	dotline_init(&d, false, true);
	used = dotline_decode(&d, wire, sizeof wire - 1, text, &out);
	tap_ok(used == sizeof wire - 1 && d.ended && out == 7 && memcmp(text, "a\0b\xff\n\0\n", 7) == 0,
		"NUL and 8-bit bytes pass, dot NUL is no end");
}

/* Stored text, and what may leave of it. */
static const struct {
	const char *text, *wire;
	unsigned size; /* as SIZE counts */
} out_cases[] = {
	{ "", ".\r\n", 0 },
	{ "a\n", "a\r\n.\r\n", 3 },
	{ "a", "a\r\n.\r\n", 3 },
	{ ".\n", "..\r\n.\r\n", 3 },
	{ "..\n.a\n", "...\r\n..a\r\n.\r\n", 8 },
	{ "\n\n", "\r\n\r\n.\r\n", 4 },
	{ "a.\n", "a.\r\n.\r\n", 4 },
	{ "a\r\nb\r\n", "a\r\nb\r\n.\r\n", 6 },
	{ "a\r\n.\r\nb\n", "a\r\n..\r\nb\r\n.\r\n", 9 },
	/* a CR without LF is a line end, too, and no dot stands alone behind it */
	{ "a\rb\n", "a\r\nb\r\n.\r\n", 6 },
	{ "a\r.\nb\n", "a\r\n..\r\nb\r\n.\r\n", 9 },
	{ "a\r.\r\nb\n", "a\r\n..\r\nb\r\n.\r\n", 9 },
	{ "a\r.\rb\n", "a\r\n..\r\nb\r\n.\r\n", 9 },
	{ "a\n.\rb\n", "a\r\n..\r\nb\r\n.\r\n", 9 },
	{ "a\r\r\n.\n", "a\r\n\r\n..\r\n.\r\n", 8 },
	{ "a\n\r.\n", "a\r\n\r\n..\r\n.\r\n", 8 },
	{ "\r", "\r\n.\r\n", 2 },
	{ "\r.", "\r\n..\r\n.\r\n", 5 },
	{ "\r\r\r", "\r\n\r\n\r\n.\r\n", 6 },
};

static bool encodes(size_t at, size_t piece)
{
	const char *text = out_cases[at].text, *want = out_cases[at].wire;
	const size_t n = strlen(text);
	struct dotline_out d;
	char wire[ROOM];
	size_t len = 0;

	dotline_out_init(&d);
	for (size_t used = 0; used < n; used += piece)
		len += dotline_encode(&d, text + used, n - used < piece ? n - used : piece, wire + len);
	len += dotline_encode_end(&d, wire + len);
	return len == strlen(want) && memcmp(wire, want, len) == 0 && d.size == out_cases[at].size;
}

int main(void)
{
	char name[64];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t piece = 1; piece <= 16; piece += piece < 4 ? 1 : 12) {
			snprintf(name, sizeof name, "case %zu in pieces of %zu", i, piece);
			tap_ok(decodes(i, piece), name);
		}
	for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
		for (size_t piece = 1; piece <= 16; piece += piece < 4 ? 1 : 12) {
			snprintf(name, sizeof name, "chunk %zu in pieces of %zu", i, piece);
			tap_ok(decodes_chunks(i, piece), name);
		}
	for (size_t i = 0; i < sizeof out_cases / sizeof out_cases[0]; i++)
		for (size_t piece = 1; piece <= 16; piece += piece < 4 ? 1 : 12) {
			snprintf(name, sizeof name, "text %zu goes out in pieces of %zu", i, piece);
			tap_ok(encodes(i, piece), name);
		}
	test_nul_and_8bit();
	return tap_end();
}
