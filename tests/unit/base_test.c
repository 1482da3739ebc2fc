/* The ground floor: bounded text, numbers, environments, searched programs. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/num.h"
#include "base/spawn.h"
#include "base/str.h"
#include "tests/unit/tap.h"

static void test_str(void)
{
	char memory[8];
	struct str s;

	str_init(&s, memory, sizeof memory);
	str_puts(&s, "abc");
	str_putu(&s, 1234);
	tap_ok(!s.full && s.len == 7, "text fills its memory up to the NUL");
	str_putc(&s, 'x');
	tap_ok(s.full && strcmp(s.s, "abc1234") == 0, "one byte more is refused");
	str_reset(&s);
	str_puts(&s, "much too long");
	str_puts(&s, "ok");
	tap_ok(s.full && s.s[0] == '\0', "all or nothing, and full stays");
	str_reset(&s);
	str_put_printable(&s, "a\r\n\x80~", 5);
	tap_same(s.s, "a???~", "unprintable bytes are shown as ?");
	str_reset(&s);
	str_putu(&s, 0);
	str_put02u(&s, 7);
	tap_same(s.s, "007", "zeros");
}

static void test_num(void)
{
	static const struct {
		const char *text;
		const char *wrong;
	} cases[] = {
		{ "0", NULL },
		{ "65535", NULL },
		{ "65536", "is too large" },
		{ "99999999999999999999999", "is too large" },
		{ "18446744073709551615", "is too large" },
		{ "", "is not a decimal number" },
		{ "-1", "is not a decimal number" },
		{ "+1", "is not a decimal number" },
		{ " 1", "is not a decimal number" },
		{ "1x", "is not a decimal number" },
		{ "0x10", "is not a decimal number" },
	};
	unsigned long n = 7;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *wrong = num_parse(cases[i].text, 0, 65535, &n);

		tap_ok((wrong == NULL) == (cases[i].wrong == NULL) &&
				(wrong == NULL || strcmp(wrong, cases[i].wrong) == 0),
			cases[i].text);
	}
	n = 7;
	tap_ok(num_parse("4", 5, 9, &n) != NULL && n == 7, "too small, and nothing is written");
	tap_ok(num_leading("12ab", 4, &n) == 2 && n == 12, "leading digits");
	tap_ok(num_leading("99999999999999999999999", 23, &n) == 23 && n == ULONG_MAX,
		"leading digits saturate");
}

static void test_env(void)
{
	char a[] = "A=1", b[] = "B=2", a2[] = "AB=3";
	char *const inherited[] = { a, b, a2, NULL };
	char long_text[10001], name[16];
	struct env e;

	if (!tap_ok(env_init(&e, inherited) == 0, "an environment is made"))
		return;
	tap_ok(env_set(&e, "A", "new") == 0 && e.count == 3, "a variable is replaced");
	tap_same(env_get(&e, "A"), "new", "by its new value");
	tap_same(env_get(&e, "AB"), "3", "and not its namesake");
	tap_ok(env_set_pair(&e, "C=x=y", 5) == 0, "a pair is put in");
	tap_same(env_get(&e, "C"), "x=y", "cut at its first =");
	tap_ok(env_set_pair(&e, "nonsense", 8) == -1 && errno == EINVAL && e.count == 4,
		"a pair without = is none");
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	tap_ok(env_set(&e, "LONG", long_text) == 0 && strcmp(env_get(&e, "LONG"), long_text) == 0,
		"a variable may be longer than all before it");
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "N%d", i);
		if (env_set(&e, name, "some text") == -1)
			tap_ok(false, "there is room for many");
	}
	tap_ok(e.count == 1005 && strcmp(env_get(&e, "N0"), "some text") == 0 &&
			strcmp(env_get(&e, "C"), "x=y") == 0,
		"a thousand variables, and none is lost");
	tap_ok(env_added(&e, "A") != NULL && env_added(&e, "AB") == NULL && env_added(&e, "X") == NULL,
		"what was added, inherited, and is not there");
	env_unset(&e, "B");
	tap_ok(env_get(&e, "B") == NULL && e.vector[e.count] == NULL, "a variable goes");
	env_rewind(&e);
	tap_ok(e.count == 3 && strcmp(env_get(&e, "A"), "1") == 0, "and all is as inherited");
	env_free(&e);
}

static void test_search(void)
{
	const char **files = spawn_search("p", "/a::b");

	tap_ok(files != NULL && strcmp(files[0], "/a/p") == 0 && strcmp(files[1], "./p") == 0 &&
			strcmp(files[2], "b/p") == 0 && files[3] == NULL,
		"a program is searched in PATH");
	free(files);
	files = spawn_search("x/p", "/a");
	tap_ok(files != NULL && strcmp(files[0], "x/p") == 0 && files[1] == NULL, "a slash: it is not");
	free(files);
	files = spawn_search("p", NULL);
	tap_ok(files != NULL && strcmp(files[0], "/bin/p") == 0 && strcmp(files[1], "/usr/bin/p") == 0,
		"no PATH: the classic one");
	free(files);
}

int main(void)
{
	test_str();
	test_num();
	test_env();
	test_search();
	tap_ok(clock_left_ms(CLOCK_NEVER) == -1 && clock_left_ms(clock_ms() - 5) == 0, "deadlines");
	return tap_end();
}
