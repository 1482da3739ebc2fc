#include "mail/address.h"

#include "tests/unit/tap.h"

/* want: the address as the queue gets it; NULL: refused. rest: what is left behind the '>'. */
static const struct {
	const char *path;
	const char *want;
	const char *domain;
	const char *rest;
} cases[] = {
	{ "<>", "", "", "" },
	{ "<a@b.example>", "a@b.example", "b.example", "" },
	{ "<a@b.example> SIZE=1", "a@b.example", "b.example", " SIZE=1" },
	{ "<Postmaster>", "Postmaster", "", "" },
	{ "<a.b+c=d!e%f@g-h.example>", "a.b+c=d!e%f@g-h.example", "g-h.example", "" },
	{ "<a..b.@c.example>", "a..b.@c.example", "c.example", "" },
	{ "<a@b_c.example>", "a@b_c.example", "b_c.example", "" },
	{ "<\"x y\"@b.example>", "x y@b.example", "b.example", "" },
	{ "<\"x\\\"y\\\\z\"@b.example>", "x\"y\\z@b.example", "b.example", "" },
	{ "<\"a@c.example\"@b.example>", "a@c.example@b.example", "b.example", "" },
	{ "<\"a>b\"@c.example>", "a>b@c.example", "c.example", "" },
	{ "<@r.example:a@b.example>", "a@b.example", "b.example", "" },
	{ "<@r.example,@s.example:a@b.example>", "a@b.example", "b.example", "" },
	{ "<a@[127.0.0.1]>", "a@[127.0.0.1]", "[127.0.0.1]", "" },
	{ "<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", "" },
	{ "", NULL, NULL, NULL },
	{ "a@b.example", NULL, NULL, NULL },
	{ "<a@b.example", NULL, NULL, NULL },
	{ "<a@b@c.example>", NULL, NULL, NULL },
	{ "<a@>", NULL, NULL, NULL },
	{ "<@b.example>", NULL, NULL, NULL },
	{ "<\"\"@b.example>", NULL, NULL, NULL },
	{ "<\"a@b.example>", NULL, NULL, NULL },
	{ "<\"a\\", NULL, NULL, NULL },
	{ "<a b@c.example>", NULL, NULL, NULL },
	{ "<a@b c.example>", NULL, NULL, NULL },
	{ "<a@.example>", NULL, NULL, NULL },
	{ "<a@b..example>", NULL, NULL, NULL },
	{ "<a@b.example.>", NULL, NULL, NULL },
	{ "<a@[127.0.0.256]>", NULL, NULL, NULL },
	{ "<a@[IPv6:x]>", NULL, NULL, NULL },
	{ "<a@[127.0.0.1>", NULL, NULL, NULL },
	{ "<a@[127.0.0.1]x>", NULL, NULL, NULL },
	{ "<@r.example a@b.example>", NULL, NULL, NULL },
	{ "<@r.example,b@c.example>", NULL, NULL, NULL },
	{ "<a\x80@b.example>", NULL, NULL, NULL },
	{ "<a\xc0\xaf@b.example>", NULL, NULL, NULL },
	{ "<a\xed\xa0\x80@b.example>", NULL, NULL, NULL },
	{ "<a\xf4\x90\x80\x80@b.example>", NULL, NULL, NULL },
	{ "<a\xc3>", NULL, NULL, NULL },
	{ "<a\tb@c.example>", NULL, NULL, NULL },
	{ "<\"a\x01\"@c.example>", NULL, NULL, NULL },
	{ "<(comment)a@c.example>", NULL, NULL, NULL },
};

static void test_table(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct address a;
		size_t used = 0;
		const char *wrong = address_parse_path(&a, cases[i].path, strlen(cases[i].path), &used);

		if (cases[i].want == NULL)
			tap_ok(wrong != NULL, cases[i].path);
		else
			tap_ok(wrong == NULL && strcmp(a.text, cases[i].want) == 0 &&
					a.len == strlen(a.text) &&
					strcmp(address_domain(&a), cases[i].domain) == 0 &&
					strcmp(cases[i].path + used, cases[i].rest) == 0,
				cases[i].path);
	}
}

/* No prefix of a path is a path, except where the path ends: the parser never looks behind its bytes. */
static void test_prefixes(void)
{
	static const char path[] = "<@r.example:\"x\\\"y\"@[IPv6:2001:db8::1]>";
	bool good = true;

	for (size_t n = 0; n < strlen(path); n++) {
		char copy[sizeof path];
		struct address a;
		size_t used;

		memset(copy, '>', sizeof copy);
		memcpy(copy, path, n);
		good = good && address_parse_path(&a, copy, n, &used) != NULL;
	}
	tap_ok(good, "no prefix is a path");
}

static void test_nul(void)
{
	struct address a;
	size_t used;

	tap_ok(address_parse_path(&a, "<a\0b@c.example>", 15, &used) != NULL, "NUL in a local part");
	tap_ok(address_parse_path(&a, "<a@c\0.example>", 14, &used) != NULL, "NUL in a domain");
	tap_ok(address_parse_path(&a, "<a@[127.0.0.1\0]>", 16, &used) != NULL, "NUL in a literal");
	tap_ok(address_parse_path(&a, "<\"a\0b\"@c.example>", 17, &used) != NULL, "NUL in quotes");
}

static void test_limits(void)
{
	char path[ADDRESS_MAX + 64];
	struct address a;
	size_t used;

	path[0] = '<';
	memset(path + 1, 'a', ADDRESS_MAX - 3);
	memcpy(path + 1 + ADDRESS_MAX - 3, "@bc>", 5);
	tap_ok(address_parse_path(&a, path, strlen(path), &used) == NULL && a.len == ADDRESS_MAX,
		"the longest address");
	tap_ok(!address_append(&a, "x") && a.len == ADDRESS_MAX, "nothing may be put behind it");
	memset(path + 1, 'a', ADDRESS_MAX - 2);
	memcpy(path + 1 + ADDRESS_MAX - 2, "@bc>", 5);
	tap_ok(address_parse_path(&a, path, strlen(path), &used) != NULL, "one byte more");
}

static void test_changes(void)
{
	struct address a;
	size_t used;
	const char *wrong = address_parse_path(&a, "<u@[127.0.0.1]>", 15, &used);

	tap_ok(wrong == NULL && a.literal, "a literal is known as one");
	tap_ok(address_set_domain(&a, "mx.example") && !a.literal, "its domain can be replaced");
	tap_same(a.text, "u@mx.example", "by a name");
	tap_ok(address_append(&a, "@fix.example"), "RELAYCLIENT is put behind");
	tap_same(address_domain(&a), "fix.example", "and the last @ counts");
	tap_ok(address_append(&a, "") && strcmp(a.text, "u@mx.example@fix.example") == 0,
		"an empty RELAYCLIENT changes nothing");
}

static void test_paths(void)
{
	static const struct {
		const char *text, *path; /* NULL: there is none */
		bool utf8;
	} paths[] = {
		{ "", "", false },
		{ "u@b.example", "u@b.example", false },
		{ "postmaster", "postmaster", false },
		{ "a.b+c@b.example", "a.b+c@b.example", false },
		{ "a b@b.example", "\"a b\"@b.example", false },
		{ ".a@b.example", "\".a\"@b.example", false },
		{ "a.@b.example", "\"a.\"@b.example", false },
		{ "a..b@b.example", "\"a..b\"@b.example", false },
		{ "a\"\\b@b.example", "\"a\\\"\\\\b\"@b.example", false },
		{ "a@c@b.example", "\"a@c\"@b.example", false },
		{ "a>@b.example", "\"a>\"@b.example", false },
		{ "@b.example", "\"\"@b.example", false },
		{ "u@[192.0.2.1]", "u@[192.0.2.1]", false },
		{ "\303\251@b.example", "\303\251@b.example", true },
		{ "u@\303\251.example", "u@\303\251.example", true },
		{ "\351@b.example", NULL, true }, /* no UTF-8 */
		{ "u@", NULL, false },
		{ "u@b.example>", NULL, false },
		{ "u@b.example SIZE=1", NULL, false },
		{ "u@b\"c", NULL, false },
		{ "u\r\n@b.example", NULL, false },
		{ "u\n@b.example", NULL, false },
		{ "u@b.example\r\nRSET", NULL, false },
		{ "u\x7f@b.example", NULL, false },
	};
	char memory[128], name[64];
	struct str s;
	bool utf8;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		bool can;

		str_init(&s, memory, sizeof memory);
		can = address_put_path(&s, paths[i].text, &utf8);
		snprintf(name, sizeof name, "path %zu as it is sent", i);
		tap_ok(can == (paths[i].path != NULL) && utf8 == paths[i].utf8 &&
				strcmp(s.s, can ? paths[i].path : "") == 0,
			name);
	}
}

int main(void)
{
	test_paths();
	test_table();
	test_prefixes();
	test_nul();
	test_limits();
	test_changes();
	return tap_end();
}
