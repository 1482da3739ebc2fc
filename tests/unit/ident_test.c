#include "net/ident.h"

#include "tests/unit/tap.h"

/* want: NULL is no answer. */
static const struct {
	const char *line;
	const char *want;
} cases[] = {
	{ "6193, 23 : USERID : UNIX : stjohns\r\n", "stjohns" },
	{ "6193, 23 : USERID : UNIX : a:b:c\r\n", "a:b:c" },
	{ "6193, 23 : USERID : OTHER,US-ASCII : st johns\t! \n", "stjohns!" },
	{ "6193, 23 : USERID : UNIX :\r\n", "" },
	{ "6193, 23 : ERROR : NO-USER\r\n", "" },
	{ "\n", "" },
	{ "a:b:c:first\nsecond\n", "first" },
	{ "\x80\x01:b:c:before the colons anything goes\n", "beforethecolonsanythinggoes" },
	{ "", NULL },
	{ "6193, 23 : USERID : UNIX : no newline", NULL },
	{ "a:b:c:esc\x1b[2J\n", NULL },
	{ "a:b:c:bell\x07\n", NULL },
	{ "a:b:c:\xff\n", NULL },
	{ "a:b:c:del\x7f\n", NULL },
};

static bool is(const struct ident_answer *a, const char *want)
{
	if (want == NULL)
		return a->state != IDENT_FOUND;
	return a->state == IDENT_FOUND && strcmp(a->text, want) == 0 && a->len == strlen(want);
}

static void test_table(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ident_answer whole, bytes;
		const size_t n = strlen(cases[i].line);
		char name[32]; /* the lines themselves hold newlines and worse */

		ident_answer_init(&whole);
		ident_feed(&whole, cases[i].line, n);
		snprintf(name, sizeof name, "answer %zu", i);
		tap_ok(is(&whole, cases[i].want), name);
		ident_answer_init(&bytes);
		for (size_t j = 0; j < n; j++)
			ident_feed(&bytes, cases[i].line + j, 1);
		tap_ok(bytes.state == whole.state && strcmp(bytes.text, whole.text) == 0,
			"the same byte by byte");
	}
}

static void test_long(void)
{
	struct ident_answer a;

	ident_answer_init(&a);
	ident_feed(&a, "a:b:c:", 6);
	for (int i = 0; i < 256; i++)
		ident_feed(&a, "x", 1);
	tap_ok(a.state == IDENT_BUSY && a.len == 256, "256 bytes are not the end");
	tap_ok(ident_feed(&a, "x", 1) == IDENT_FOUND && a.len == 257, "257 are, without a newline");
	tap_ok(ident_feed(&a, "yyy\n", 4) == IDENT_FOUND && a.len == 257, "and nothing is added");
}

int main(void)
{
	test_table();
	test_long();
	return tap_end();
}
