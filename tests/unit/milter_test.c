/* Packets of the milter protocol: what we say to the byte, what we understand, what we refuse. */
#include "mail/milter.h"

#include "tests/unit/tap.h"

static void test_commands(void)
{
	static const char want[] = "\0\0\0\x0f"
				   "C"
				   "a.b\0"
				   "4"
				   "\x12\x67"
				   "1.2.3.\0";
	char memory[64];
	struct milter_out o;

	milter_begin(&o, memory, sizeof memory, MILTER_CONNECT);
	milter_put_text(&o, "a.b");
	milter_put(&o, "4", 1);
	milter_put_u16(&o, 4711);
	milter_put_text_n(&o, "1.2.3.4", 6);
	tap_ok(milter_end(&o), "a command fits");
	tap_ok(o.len == sizeof want - 1 && memcmp(memory, want, o.len) == 0, "and is right to the byte");
	milter_begin(&o, memory, 8, MILTER_HELO);
	milter_put_text(&o, "host");
	tap_ok(!milter_end(&o), "one that does not fit is not sent");
	milter_begin(&o, memory, 3, MILTER_QUIT);
	tap_ok(!milter_end(&o), "not even its length");
}

static void test_options(void)
{
	char data[64] = { 0 }, memory[64];
	struct milter_options offer, agreed;
	struct milter_out o;
	const char *at, *name;
	size_t len;

	milter_offer(&offer, 6, MILTER_CHUNK);
	milter_begin(&o, memory, sizeof memory, MILTER_OPTIONS);
	milter_put_options(&o, &offer);
	tap_ok(milter_end(&o) && memcmp(memory, "\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xff\xff", o.len) == 0,
		"version 6 offers all its actions and steps");
	milter_offer(&offer, 6, MILTER_CHUNK_1M);
	tap_ok(offer.steps == 0x301fffff, "and sizes, when more is wanted");
	milter_offer(&offer, 2, MILTER_CHUNK_1M);
	tap_ok(offer.actions == 0x3f && offer.steps == 0x7f, "version 2 knows less");

	milter_offer(&offer, 6, MILTER_CHUNK_256K);
	memcpy(data, "\0\0\0\6\0\0\1\1\x30\x1f\xff\xff\0\0\0\2j {x},  y\0\0\0\0\x63z\0", 32);
	tap_ok(milter_agree(&offer, data, 32, &agreed) == NULL, "options and lists of macros");
	tap_ok(agreed.steps == 0x101fffff && milter_chunk(&agreed) == MILTER_CHUNK_256K,
		"a size that we did not offer is none");
	tap_same(agreed.symbols[MILTER_AT_MAIL], "j {x},  y", "a list; one of an unknown stage is skipped");
	at = agreed.symbols[MILTER_AT_MAIL];
	tap_ok(milter_next_symbol(&at, &name, &len) && len == 1 && *name == 'j', "a macro of one letter");
	tap_ok(milter_next_symbol(&at, &name, &len) && len == 1 && *name == 'x', "one in braces");
	tap_ok(milter_next_symbol(&at, &name, &len) && *name == 'y', "one behind a comma");
	tap_ok(!milter_next_symbol(&at, &name, &len), "and no more");
	for (size_t n = 13; n < 26; n++)
		if (milter_agree(&offer, data, n, &agreed) == NULL)
			tap_ok(false, "a list that is cut");
	tap_ok(milter_agree(&offer, data, 11, &agreed) != NULL, "options that are cut");
	data[3] = 7;
	tap_ok(milter_agree(&offer, data, 12, &agreed) != NULL, "a version above ours");
	data[3] = 1;
	tap_ok(milter_agree(&offer, data, 12, &agreed) != NULL, "and one below 2");
	data[3] = 2;
	data[6] = 2;
	tap_ok(milter_agree(&offer, data, 12, &agreed) != NULL, "an action that we did not offer");
}

static void test_frames(void)
{
	size_t len;

	tap_ok(milter_frame("\0\0\0", 3, &len) == MILTER_FRAME_MORE, "no length yet");
	tap_ok(milter_frame("\0\0\0\1", 4, &len) == MILTER_FRAME_MORE, "no letter yet");
	tap_ok(milter_frame("\0\0\0\1c", 5, &len) == MILTER_FRAME_WHOLE && len == 1, "a whole packet");
	tap_ok(milter_frame("\0\0\0\0", 4, &len) == MILTER_FRAME_BAD, "without a letter");
	tap_ok(milter_frame("\xff\xff\xff\xff", 4, &len) == MILTER_FRAME_BAD, "of four gigabytes");
	tap_ok(milter_frame("\0\x10\4\0", 4, &len) == MILTER_FRAME_BAD, "one byte too long");
}

#define PACKET(text) text, sizeof(text) - 1

static const struct {
	const char *packet;
	size_t n;
	bool good;
	enum milter_answer what;
	unsigned number;
	const char *name, *value;
} cases[] = {
	{ PACKET("c"), true, MILTER_CONTINUE, 0, "", "" },
	{ PACKET("a"), true, MILTER_ACCEPT, 0, "", "" },
	{ PACKET("r"), true, MILTER_REJECT, 0, "", "" },
	{ PACKET("t"), true, MILTER_TEMPORARY, 0, "", "" },
	{ PACKET("d"), true, MILTER_DISCARD, 0, "", "" },
	{ PACKET("p"), true, MILTER_PROGRESS, 0, "", "" },
	{ PACKET("s"), true, MILTER_SKIP, 0, "", "" },
	{ PACKET("4"), true, MILTER_SHUTDOWN, 0, "", "" },
	{ PACKET("f"), true, MILTER_CONNECTION_FAIL, 0, "", "" },
	{ PACKET("hX-A\0b\0"), true, MILTER_ADD_HEADER, 0, "X-A", "b" },
	{ PACKET("hX-A\0\0"), true, MILTER_ADD_HEADER, 0, "X-A", "" },
	{ PACKET("hX-A\0b"), false, 0, 0, "", "" },
	{ PACKET("hX-A"), false, 0, 0, "", "" },
	{ PACKET("h\0b\0"), false, 0, 0, "", "" },
	{ PACKET("hX A\0b\0"), false, 0, 0, "", "" },
	{ PACKET("hX\nA\0b\0"), false, 0, 0, "", "" },
	{ PACKET("hX:\0b\0"), false, 0, 0, "", "" },
	{ PACKET("i\0\0\0\1X\0y\0"), true, MILTER_INSERT_HEADER, 1, "X", "y" },
	{ PACKET("i\0\0\1"), false, 0, 0, "", "" },
	{ PACKET("m\0\0\1\2X\0\0"), true, MILTER_CHANGE_HEADER, 258, "X", "" },
	{ PACKET("+<a@b>\0"), true, MILTER_ADD_RCPT, 0, "<a@b>", "" },
	{ PACKET("+<a@b>"), false, 0, 0, "", "" },
	{ PACKET("-<a@b>\0"), true, MILTER_DELETE_RCPT, 0, "<a@b>", "" },
	{ PACKET("2<a@b>\0"), true, MILTER_ADD_RCPT, 0, "<a@b>", "" },
	{ PACKET("2<a@b>\0NOTIFY=NEVER\0"), true, MILTER_ADD_RCPT, 0, "<a@b>", "NOTIFY=NEVER" },
	{ PACKET("2<a@b>\0NOTIFY"), false, 0, 0, "", "" },
	{ PACKET("e<>\0X\0"), true, MILTER_CHANGE_FROM, 0, "<>", "X" },
	{ PACKET("qwhy\0"), true, MILTER_QUARANTINE, 0, "why", "" },
	{ PACKET("q"), false, 0, 0, "", "" },
	{ PACKET("y550 5.7.1 no\0"), true, MILTER_REPLY, 550, "", "" },
	{ PACKET("y421\0"), true, MILTER_REPLY, 421, "", "" },
	{ PACKET("y250 fine\0"), false, 0, 0, "", "" },
	{ PACKET("y5\0"), false, 0, 0, "", "" },
	{ PACKET("y5500 no\0"), false, 0, 0, "", "" },
	{ PACKET("y550 no"), false, 0, 0, "", "" },
	{ PACKET("bbody"), true, MILTER_REPLACE_BODY, 0, "", "" },
	{ PACKET("O"), false, 0, 0, "", "" },
	{ PACKET("?"), false, 0, 0, "", "" },
	{ PACKET(""), false, 0, 0, "", "" },
};

static void test_answers(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct milter_answer_of a;
		const char *wrong = milter_parse(cases[i].packet, cases[i].n, &a);
		char name[64];
		bool good = (wrong == NULL) == cases[i].good;

		if (good && cases[i].good)
			good = a.what == cases[i].what && a.number == cases[i].number &&
			       strcmp(a.name, cases[i].name) == 0 && strcmp(a.value, cases[i].value) == 0;
		snprintf(name, sizeof name, "case %zu: %.1s", i, cases[i].packet);
		tap_ok(good, name);
	}
}

static const struct {
	const char *reply;
	size_t n;
	const char *status;
	const char *text;
} replies[] = {
	{ PACKET("y550 5.7.1 no thanks\0"), "5.7.1", "no thanks" },
	{ PACKET("y550 no thanks\0"), "", "no thanks" },
	{ PACKET("y451 5.7.1 other class\0"), "", "other class" },
	{ PACKET("y550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\0"), "5.7.1", "one two three" },
	{ PACKET("y550 5.7.1\0"), "5.7.1", "" },
	{ PACKET("y550\0"), "", "" },
	{ PACKET("y550 100%% sure, 5%\0"), "", "100% sure, 5%" },
	{ PACKET("y550 5.7.1234 x\0"), "", "5.7.1234 x" },
	{ PACKET("y550 5.777.123 x\0"), "5.777.123", "x" },
	{ PACKET("y550 a\rb\tc\0"), "", "a b c" },
};

static void test_replies(void)
{
	char text[64];

	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		struct milter_answer_of a;

		if (milter_parse(replies[i].reply, replies[i].n, &a) != NULL) {
			tap_ok(false, replies[i].reply);
			continue;
		}
		text[milter_reply_text(&a, text, sizeof text - 1)] = '\0';
		tap_same(a.status, replies[i].status, "the status of a reply");
		tap_same(text, replies[i].text, "and its words");
		tap_ok(milter_reply_text(&a, text, 3) <= 3, "cut where there is no room");
	}
}

int main(void)
{
	test_commands();
	test_options();
	test_frames();
	test_answers();
	test_replies();
	return tap_end();
}
