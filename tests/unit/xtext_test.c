#include "mail/xtext.h"

#include "tests/unit/tap.h"

static const struct {
	const char *text;
	const char *stands_for; /* NULL: it is none */
} cases[] = {
	{ "plain", "plain" },
	{ "a+2Bb+3Dc", "a+b=c" },
	{ "+20", " " },
	{ "!~", "!~" },
	{ "+E9", "\xe9" },
	{ "", NULL },
	{ "a b", NULL },
	{ "a=b", NULL },
	{ "+", NULL },
	{ "a+2", NULL },
	{ "+2b", NULL },
	{ "+G0", NULL },
	{ "\xe9", NULL },
	{ "a\x7f", NULL },
};

int main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *text = cases[i].text, *want = cases[i].stands_for;
		const size_t n = strlen(text);
		char memory[32];
		struct str to;

		str_init(&to, memory, sizeof memory);
		tap_ok(xtext_is(text, n) == (want != NULL), text);
		if (xtext_decode(text, n, &to))
			tap_same(to.s, want != NULL ? want : "(nothing)", text);
		else
			tap_ok(want == NULL, text);
	}
	return tap_end();
}
