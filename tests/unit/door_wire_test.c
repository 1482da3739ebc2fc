#include "queue/door_wire.h"

#include "tests/unit/tap.h"

/* What was heard, as text: a frame is "M(bytes)", a bad one ends in "!". Fed in pieces of so many bytes. */
static const char *heard(const char *letters, const char *p, size_t n, size_t piece)
{
	static char text[512];
	struct door_wire w;
	size_t len = 0, at = 0;

	door_wire_init(&w, letters);
	while (at < n && len < sizeof text - 64) {
		const size_t have = n - at < piece ? n - at : piece;
		size_t used;

		switch (door_wire_next(&w, p + at, have, &used)) {
		case DOOR_WIRE_BEGIN:
			len += (size_t)snprintf(text + len, 64, "%c%zu(", w.letter, w.total);
			break;
		case DOOR_WIRE_BYTES:
			memcpy(text + len, w.p, w.n < 32 ? w.n : 32);
			len += w.n < 32 ? w.n : 32;
			break;
		case DOOR_WIRE_END:
			text[len++] = ')';
			break;
		case DOOR_WIRE_BAD:
			text[len] = '!';
			text[len + 1] = '\0';
			return door_wire_next(&w, "5:Mabcd,", 8, &used) == DOOR_WIRE_BAD ? text
											 : "not sticky";
		case DOOR_WIRE_MORE:
			if (used != have)
				return "more, and not all is used";
			break;
		}
		at += used;
	}
	text[len] = '\0';
	return text;
}

static void test_frames(void)
{
	static const struct {
		const char *bytes;
		const char *want;
	} cases[] = {
		{ "6:Mhello,", "M5(hello)" },
		{ "1:M,", "M0()" },
		{ "1:A,", "A0()" },
		{ "3:Mab,2:Mc,4:EF||,", "M2(ab)M1(c)E3(F||)" },
		{ "11:M0123456789,", "M10(0123456789)" },
		{ "6:Mhel", "M5(hel" },
		{ "", "" },
		{ "0:,", "!" },
		{ "01:M,", "!" },
		{ ":M,", "!" },
		{ "-1:M,", "!" },
		{ "+1:M,", "!" },
		{ " 1:M,", "!" },
		{ "1 :M,", "!" },
		{ "1:m,", "!" },
		{ "1:K,", "!" },
		{ "2:A1,", "!" },
		{ "2:Ma;", "M1(a!" },
		{ "2:Mab,", "M1(a!" },
		{ "1:M,EHLO x", "M0()!" },
		{ "1048576:M", "M1048575(" },
		{ "1048577:M", "!" },
		{ "4194305:E", "E4194304(" },
		{ "4194306:E", "!" },
		{ "99999999999999999999999:E", "!" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const size_t n = strlen(cases[i].bytes);

		tap_same(heard(DOOR_WIRE_OF_CLIENT, cases[i].bytes, n, n), cases[i].want, cases[i].bytes);
		for (size_t piece = 1; piece < n; piece++)
			if (strcmp(heard(DOOR_WIRE_OF_CLIENT, cases[i].bytes, n, piece), cases[i].want) !=
				0)
				tap_ok(false, "the same in pieces");
	}
	tap_same(heard(DOOR_WIRE_OF_CLIENT, "1:\0,", 4, 4), "!", "NUL is no letter");
	tap_same(heard(DOOR_WIRE_OF_SERVER, "3:Kok,1:Z,2:Dx,", 15, 4), "K2(ok)Z0()D1(x)", "answers");
	tap_same(heard(DOOR_WIRE_OF_SERVER, "1:M,", 4, 4), "!", "a server says no M");
}

static void test_heads(void)
{
	static const size_t lengths[] = { 0, 8, 9, 98, 99, 65536, DOOR_WIRE_FRAME - 1, DOOR_WIRE_ENVELOPE };
	bool good = true;

	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		char head[DOOR_WIRE_HEAD], want[32];
		const size_t n = door_wire_head(head, 'E', lengths[i]);
		const int len = snprintf(want, sizeof want, "%zu:E", lengths[i] + 1);

		good = good && n == (size_t)len && memcmp(head, want, n) == 0;
	}
	tap_ok(good, "heads of frames");
}

int main(void)
{
	test_frames();
	test_heads();
	return tap_end();
}
