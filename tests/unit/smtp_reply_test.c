#include "mail/smtp_reply.h"

#include "tests/unit/tap.h"

static const struct {
	const char *wire;
	enum smtp_reply_state state;
	unsigned code;
	const char *status, *text;
} cases[] = {
	{ "250 ok\r\n", SMTP_REPLY_WHOLE, 250, "", "ok" },
	{ "250 ok\n", SMTP_REPLY_WHOLE, 250, "", "ok" },
	{ "354\r\n", SMTP_REPLY_WHOLE, 354, "", "" },
	{ "250 \r\n", SMTP_REPLY_WHOLE, 250, "", "" },
	{ "250-a\r\n250-\r\n250 b\r\n", SMTP_REPLY_WHOLE, 250, "", "a b" },
	{ "550-5.1.1 no such\r\n550-5.1.1 user\r\n550 5.1.1 here\r\n", SMTP_REPLY_WHOLE, 550, "5.1.1",
		"no such user here" },
	{ "550-5.1.1 no\r\n550 5.7.1 really\r\n", SMTP_REPLY_WHOLE, 550, "5.1.1", "no 5.7.1 really" },
	{ "550-no\r\n550 5.1.1 user\r\n", SMTP_REPLY_WHOLE, 550, "", "no 5.1.1 user" },
	{ "550 5.1.1\r\n", SMTP_REPLY_WHOLE, 550, "5.1.1", "" },
	{ "550 5.123.456 x\r\n", SMTP_REPLY_WHOLE, 550, "5.123.456", "x" },
	{ "550 5.1.1x y\r\n", SMTP_REPLY_WHOLE, 550, "", "5.1.1x y" },
	{ "550 5.1234.1 y\r\n", SMTP_REPLY_WHOLE, 550, "", "5.1234.1 y" },
	{ "550 4.1.1 another class\r\n", SMTP_REPLY_WHOLE, 550, "", "4.1.1 another class" },
	{ "250 a\x01\x80\x7f\r\n", SMTP_REPLY_WHOLE, 250, "", "a???" },
	{ "250-a\r\n", SMTP_REPLY_ENDED, 250, "", "a" },
	{ "250 ok\r", SMTP_REPLY_MORE, 0, "", "" },
	{ "", SMTP_REPLY_MORE, 0, "", "" },
	{ "\r\n", SMTP_REPLY_BAD, 0, "", "" },
	{ "25 ok\r\n", SMTP_REPLY_BAD, 0, "", "" },
	{ "2500 ok\r\n", SMTP_REPLY_BAD, 0, "", "" },
	{ "250\tok\r\n", SMTP_REPLY_BAD, 0, "", "" },
	{ "150 ok\r\n", SMTP_REPLY_BAD, 0, "", "" },
	{ "600 ok\r\n", SMTP_REPLY_BAD, 0, "", "" },
	{ "2x0 ok\r\n", SMTP_REPLY_BAD, 0, "", "" },
	{ " 250 ok\r\n", SMTP_REPLY_BAD, 0, "", "" },
	{ "250-a\r\n251 b\r\n", SMTP_REPLY_BAD, 250, "", "a" },
};

static enum smtp_reply_state feed(struct smtp_reply *r, const char *wire, size_t piece)
{
	enum smtp_reply_state state = SMTP_REPLY_MORE;

	smtp_reply_init(r);
	for (size_t left = strlen(wire), used; left > 0; left -= used, wire += used) {
		state = smtp_reply_feed(r, wire, left < piece ? left : piece, &used);
		if (state == SMTP_REPLY_BAD)
			break;
	}
	return state;
}

static bool reads(size_t at, size_t piece)
{
	struct smtp_reply r;
	const enum smtp_reply_state state = feed(&r, cases[at].wire, piece);

	return state == cases[at].state && r.code == cases[at].code &&
	       strcmp(r.status, cases[at].status) == 0 && strcmp(r.text, cases[at].text) == 0;
}

/* Lines without end, and no line that ends. */
static void test_bounds(void)
{
	static char line[SMTP_REPLY_BYTES + 1];
	enum smtp_reply_state state = SMTP_REPLY_ENDED;
	struct smtp_reply r;
	size_t lines = 0, used;

	smtp_reply_init(&r);
	for (; state == SMTP_REPLY_ENDED && lines <= SMTP_REPLY_LINES; lines++)
		state = smtp_reply_feed(&r, "250-x\r\n", 7, &used);
	tap_ok(state == SMTP_REPLY_BAD && lines == SMTP_REPLY_LINES + 1,
		"a reply with too many lines is none");
	memset(line, 'x', sizeof line);
	memcpy(line, "250 ", 4);
	smtp_reply_init(&r);
	tap_ok(smtp_reply_feed(&r, line, SMTP_REPLY_BYTES, &used) == SMTP_REPLY_MORE &&
			smtp_reply_feed(&r, "x", 1, &used) == SMTP_REPLY_BAD,
		"a reply with too many bytes is none");
	line[SMTP_REPLY_BYTES - 1] = '\n';
	smtp_reply_init(&r);
	tap_ok(smtp_reply_feed(&r, line, SMTP_REPLY_BYTES, &used) == SMTP_REPLY_WHOLE &&
			strlen(r.text) == SMTP_REPLY_TEXT - 1,
		"the text of a long one is cut");
	smtp_reply_init(&r);
	tap_ok(smtp_reply_feed(&r, "250 a\0b\r\n", 9, &used) == SMTP_REPLY_WHOLE &&
			strcmp(r.text, "a?b") == 0,
		"a NUL hides nothing");
}

static void test_put(void)
{
	struct smtp_reply r;
	char memory[64];
	struct str s;

	(void)feed(&r, "550-5.1.1 no such\r\n550 5.1.1 user\r\n", 100);
	str_init(&s, memory, sizeof memory);
	smtp_reply_put(&r, &s, 60);
	tap_same(s.s, "550 5.1.1 no such user", "a reply as one line");
	str_reset(&s);
	smtp_reply_put(&r, &s, 15);
	tap_same(s.s, "550 5.1.1 no su", "and cut");
}

int main(void)
{
	char name[64];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t piece = 1; piece <= 101; piece += piece < 3 ? 1 : 98) {
			snprintf(name, sizeof name, "reply %zu in pieces of %zu", i, piece);
			tap_ok(reads(i, piece), name);
		}
	test_bounds();
	test_put();
	return tap_end();
}
