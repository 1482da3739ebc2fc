/* SPF: the grammar, the macros of RFC 7208 section 7.4, and all checks of the files in tests/data/spf. */
#include "mail/spf.h"

#include "mail/spf_record.h"
#include "tests/unit/spf_zone.h"
#include "tests/unit/tap.h"

static struct spf memory;
static struct zone zone;

/* ---- the grammar -------------------------------------------------------------------------------------- */

static const char *const good_terms[] = {
	"",
	" ",
	" all",
	"  -all  ",
	" +a ~mx ?ptr -exists:a.b",
	" a/24 a//64 a/24//64 a/0 a//0 mx/32//128",
	" a:x.y/24 mx:x.y//64 ptr:x.y include:x.y",
	" ip4:1.2.3.4 ip4:255.0.10.200/8 ip6:::1 ip6:1:2::/64",
	" ip6:::ffff:1.2.3.4/96",
	" A:X.Y IP4:1.2.3.4 ReDirect=x.y",
	" a:x.y.",
	" a:%{d} a:%{d}/24 a:%{d2r.-}//3",
	" exists:%{ir}.%{v}._spf.%{d2}",
	" a:x:y/z.example",
	" a:x.xn--p1ai",
	" a:x.a-b",
	" foo=bar foo=bar x-y_z.0=",
	" exp=a.b redirect=%{o}",
	" moo=%{c}",
	" a:%{L}%{S1R+-,/_=}.x.y",
	" a:%%.%_%-x.y%-",
};

static const char *const bad_terms[] = {
	" all:",
	" all:x.y",
	" all/8",
	" -",
	" +",
	" ++all",
	" -foo=bar",
	" unknown",
	" unknown:x",
	" =x",
	" 1x=y",
	" include",
	" include:",
	" exists",
	" exists:",
	" a:",
	" a:x",
	" a:x.",
	" a:x.1",
	" a:1.2.3.4",
	" a:x.-y",
	" a:x.y-",
	" a:x.y_z",
	" a/33",
	" a/",
	" a//",
	" a//129",
	" a/01",
	" a/24/64",
	" a//64/24",
	" a24",
	" a:x.y/33",
	" mx:/8",
	" ptr/8",
	" ptr:",
	" ip4",
	" ip4:",
	" ip4:1.2.3",
	" ip4:1.2.3.256",
	" ip4:01.2.3.4",
	" ip4:1.2.3.4.5",
	" ip4:1.2.3.4/33",
	" ip4:1.2.3.4/",
	" ip4:1.2.3.4//8",
	" ip4:1.2.3.4 /8",
	" ip4:::1",
	" ip6",
	" ip6:",
	" ip6:1.2.3.4",
	" ip6:1::2::3",
	" ip6:::1/129",
	" ip6:::1//64",
	" ip6:::1%lo",
	" a:%{x}.y.z",
	" a:%{d.y.z",
	" a:%d.y.z",
	" a:%",
	" a:%{",
	" a:%{d0}.y.z",
	" a:%{d1r2}",
	" a:%{dd}",
	" a:%{c}",
	" exp=%{r}.x.y",
	" redirect=%{t}",
	" exp=",
	" redirect=",
	" redirect=x",
	" exp=-all",
	" redirect=x.y redirect=x.y",
	" exp=x.y exp=x.y",
	" foo=%",
	" foo=%{x}",
	" a\tb",
	" \x80=x",
	" a:\xc3\xa4.x.y",
	" foo=\x7f",
	" v=spf1 \x01",
};

static const char *check_terms(const char *text)
{
	return spf_record_check((struct spf_text){ text, strlen(text) });
}

static void test_grammar(void)
{
	size_t bad = 0;

	for (size_t i = 0; i < sizeof good_terms / sizeof good_terms[0]; i++) {
		const char *wrong = check_terms(good_terms[i]);

		if (wrong != NULL)
			printf("# \"%s\" %s\n", good_terms[i], wrong);
		bad += wrong != NULL;
	}
	tap_ok(bad == 0, "what the grammar allows");
	bad = 0;
	for (size_t i = 0; i < sizeof bad_terms / sizeof bad_terms[0]; i++) {
		const char *wrong = check_terms(bad_terms[i]);

		if (wrong == NULL)
			printf("# \"%s\" is taken\n", bad_terms[i]);
		bad += wrong == NULL;
	}
	tap_ok(bad == 0, "what it does not");
	tap_ok(check_terms(" a\0b") == NULL && spf_record_check((struct spf_text){ " a\0b", 4 }) != NULL,
		"a NUL is no end");
}

static void test_version(void)
{
	tap_ok(spf_is_record("v=spf1", 6) && spf_is_record("V=SPF1 all", 10), "a record of this version");
	tap_ok(!spf_is_record("v=spf10", 7) && !spf_is_record("v=spf", 5) &&
			!spf_is_record("v=spf1\tall", 10) && !spf_is_record(" v=spf1", 7) &&
			!spf_is_record("", 0) && !spf_is_record("v=spf1\0", 7),
		"and others");
}

static void test_names(void)
{
	char name[300];

	memset(name, 'x', sizeof name);
	for (size_t i = 50; i < sizeof name; i += 50)
		name[i] = '.';
	tap_ok(spf_is_name("a.b", 3) && spf_is_name("_a.b c\\", 7) && spf_is_name(name, 253),
		"names to ask for");
	tap_ok(!spf_is_name("", 0) && !spf_is_name("a..b", 4) && !spf_is_name(".a", 2) &&
			!spf_is_name("a.", 2) && !spf_is_name("a\x80", 2) && !spf_is_name("a\0b", 3) &&
			!spf_is_name(name, 254),
		"and none");
	name[50] = 'x';
	tap_ok(!spf_is_name(name, 64) && !spf_is_name(name, 200), "a label of 63 bytes at most");
}

/* ---- macros ------------------------------------------------------------------------------------------- */

#define TEXT(s)                  \
	{                        \
		s, sizeof(s) - 1 \
	}

static struct spf_text nobody(void *arg, struct spf_text domain)
{
	(void)arg;
	(void)domain;
	return (struct spf_text)TEXT("unknown");
}

static const struct spf_values v4 = { .sender = TEXT("strong-bad@email.example.com"),
	.local = TEXT("strong-bad"),
	.origin = TEXT("email.example.com"),
	.domain = TEXT("email.example.com"),
	.dotted = TEXT("192.0.2.3"),
	.readable = TEXT("192.0.2.3"),
	.version = TEXT("in-addr"),
	.helo = TEXT("mail.example"),
	.receiver = TEXT("mx.example"),
	.time = TEXT("1764000000"),
	.validated = nobody };

static struct spf_values v6(void)
{
	struct spf_values v = v4;

	v.dotted = (struct spf_text)TEXT("2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1");
	v.readable = (struct spf_text)TEXT("2001:db8::cb01");
	v.version = (struct spf_text)TEXT("ip6");
	return v;
}

static const struct {
	const char *macro, *want;
	bool six;
} macros[] = {
	/* RFC 7208 section 7.4 */
	{ "%{s}", "strong-bad@email.example.com", false },
	{ "%{o}", "email.example.com", false },
	{ "%{d}", "email.example.com", false },
	{ "%{d4}", "email.example.com", false },
	{ "%{d3}", "email.example.com", false },
	{ "%{d2}", "example.com", false },
	{ "%{d1}", "com", false },
	{ "%{dr}", "com.example.email", false },
	{ "%{d2r}", "example.email", false },
	{ "%{l}", "strong-bad", false },
	{ "%{l-}", "strong.bad", false },
	{ "%{lr}", "strong-bad", false },
	{ "%{lr-}", "bad.strong", false },
	{ "%{l1r-}", "strong", false },
	{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com", false },
	{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com", false },
	{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com", false },
	{ "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com", false },
	{ "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net", false },
	{ "%{ir}.%{v}._spf.%{d2}",
		"1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com",
		true },
	/* ours */
	{ "%{d99999999999999999999}", "email.example.com", false },
	{ "%{L1}", "strong-bad", false },
	{ "%{S}", "strong-bad%40email.example.com", false },
	{ "%{l2-}", "strong.bad", false },
	{ "%{l1-}", "bad", false },
	{ "%{l1rgon}", NULL, false },
	{ "%{p}.x", "unknown.x", false },
	{ "%{h}", "mail.example", false },
	{ "%%%_%-.x.y", "% %20.x.y", false },
	{ "%{d}.", NULL, false }, /* a last dot is part of a top label */
	{ "x.%{o1rb}", NULL, false },
};

static void test_macros(void)
{
	for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++) {
		const struct spf_text t = { macros[i].macro, strlen(macros[i].macro) };
		const struct spf_values v = macros[i].six ? v6() : v4;
		char name[SPF_NAME];

		if (macros[i].want == NULL)
			tap_ok(spf_check_name(t) != NULL, macros[i].macro);
		else if (tap_ok(spf_check_name(t) == NULL && spf_expand_name(t, &v, name), macros[i].macro))
			tap_same(name, macros[i].want, macros[i].macro);
	}
}

static void test_explanations(void)
{
	static const char text[] = "See http://x.example/?s=%{S}&i=%{C}&r=%{r}&t=%{t} %{h}.";
	const struct spf_text t = { text, sizeof text - 1 };
	struct spf_values v = v4;
	char out[256], small[12];

	v.helo = (struct spf_text)TEXT("a\r\n\x1b[1m\xff");
	tap_ok(spf_check_explanation(t) == NULL, "an explanation has all macros and blanks");
	spf_expand_explanation(t, &v, out, sizeof out);
	tap_same(out,
		"See "
		"http://x.example/?s=strong-bad%40email.example.com&i=192.0.2.3&r=mx.example&t=1764000000 "
		"a???[1m?.",
		"and is one printable line");
	spf_expand_explanation(t, &v, small, sizeof small);
	tap_same(small, "See http://", "cut where there is no room");
	v = v6();
	spf_expand_explanation((struct spf_text)TEXT("%{c} %{C}"), &v, out, sizeof out);
	tap_same(out, "2001:db8::cb01 2001%3Adb8%3A%3Acb01", "IPv6 for people");
}

/* Over 253 bytes labels on the left go, one by one; however long it was before. */
static void test_long_names(void)
{
	static const struct spf_text end = TEXT("%{l}.%{l}.%{l}.%{l}.example.com");
	char local[900], name[SPF_NAME], want[2 * sizeof local];
	const size_t n = sizeof local;
	struct spf_values v = v4;
	size_t len;

	memset(local, 'x', n);
	for (size_t i = 40; i < n; i += 41)
		local[i] = '.';
	memcpy(want, local, n);
	memcpy(want + n, ".example.com", 13);
	len = n + 12;
	v.local = (struct spf_text){ local, n };
	tap_ok(spf_expand_name(end, &v, name), "a name that is too long");
	tap_ok(strlen(name) <= 253 && strlen(name) > 253 - 41 &&
			strcmp(name, want + len - strlen(name)) == 0 && want[len - strlen(name) - 1] == '.',
		"loses labels on its left");
	v.local.n = 251;
	tap_ok(spf_expand_name((struct spf_text)TEXT("a.%{l}"), &v, name) && strlen(name) == 253,
		"253 bytes are a name");
	v.local.n = 252;
	tap_ok(spf_expand_name((struct spf_text)TEXT("a.%{l}"), &v, name) && strlen(name) == 252,
		"254 lose their first label");
	v.local.n = n;
	memset(local, 'x', n);
	tap_ok(!spf_expand_name((struct spf_text)TEXT("%{l}"), &v, name),
		"a label that is too long is no name");
	tap_ok(spf_expand_name((struct spf_text)TEXT("%{l}.example"), &v, name) &&
			strcmp(name, "example") == 0,
		"in front of one it goes");
}

/* ---- the files ---------------------------------------------------------------------------------------- */

static bool is_among(const char *word, const char *list)
{
	const size_t n = strlen(word);

	for (;; list++) {
		if (strncmp(list, word, n) == 0 && (list[n] == ',' || list[n] == '\0'))
			return true;
		list = strchr(list, ',');
		if (list == NULL)
			return false;
	}
}

static void check_line(char *line)
{
	size_t n;
	const char *name = zone_field(&line, &n), *address = zone_field(&line, &n);
	const char *helo = zone_field(&line, &n), *sender = zone_field(&line, &n);
	const char *results = zone_field(&line, &n), *explanation = zone_field(&line, &n);
	struct spf_question q = { .sender = sender, .helo = helo, .receiver = "", .now_s = 1764000000 };
	const struct spf_dns dns = zone_dns(&zone);
	struct spf_verdict v;

	if (results == NULL || !zone_address(address, q.ip)) {
		tap_ok(false, name);
		return;
	}
	spf_check(&memory, &q, &dns, &v);
	if (!tap_ok(is_among(spf_result_name(v.result), results), name))
		printf("#   got: %s (%s, %s)\n#  want: %s\n", spf_result_name(v.result), v.mechanism,
			v.problem != NULL ? v.problem : "no problem", results);
	if (explanation != NULL)
		tap_same(v.explanation, strcmp(explanation, "=") == 0 ? "" : explanation, name);
	tap_ok((v.problem != NULL) == (v.result == SPF_TEMPERROR || v.result == SPF_PERMERROR),
		"an error has its words");
}

static void test_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[4096];

	tap_ok(f != NULL, path);
	if (f == NULL)
		return;
	while (fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "group\t", 6) == 0) {
			zone.count = zone.used = 0;
		} else if (strncmp(line, "record\t", 7) == 0) {
			char *copy = zone.bytes + zone.used;

			zone.used += strlen(line) - 7 + 1;
			if (zone.used > ZONE_BYTES)
				break;
			memcpy(copy, line + 7, strlen(line) - 7 + 1);
			zone_line(&zone, copy);
		} else if (strncmp(line, "check\t", 6) == 0) {
			check_line(line + 6);
		}
	}
	fclose(f);
}

/* ---- bounds ------------------------------------------------------------------------------------------- */

static enum spf_result check(const char *sender, const char *ip)
{
	struct spf_question q = { .sender = sender, .helo = "helo.example", .receiver = "" };
	const struct spf_dns dns = zone_dns(&zone);
	struct spf_verdict v;

	if (!zone_address(ip, q.ip))
		return SPF_NONE;
	spf_check(&memory, &q, &dns, &v);
	return v.result;
}

static void test_long_records(void)
{
	static char record[SPF_RECORDS + 1], loop[SPF_RECORDS / 4], away[SPF_RECORDS / 2];

	zone.count = 0;
	memset(record, ' ', sizeof record);
	memcpy(record, "v=spf1", 6);
	memcpy(record + SPF_RECORDS - 4, "-all", 4);
	zone_add(&zone, "long.example", "TXT", record, SPF_RECORDS);
	zone_add(&zone, "longer.example", "TXT", record, SPF_RECORDS + 1);
	tap_ok(check("x@long.example", "192.0.2.1") == SPF_FAIL, "a record of 64 KiB");
	tap_ok(check("x@longer.example", "192.0.2.1") == SPF_PERMERROR, "one byte more is too much");
	memset(away, ' ', sizeof away);
	memcpy(away, "v=spf1 redirect=long.example", 28);
	zone_add(&zone, "away.example", "TXT", away, sizeof away);
	tap_ok(check("x@away.example", "192.0.2.1") == SPF_FAIL,
		"one that redirects makes room for the next");
	memset(loop, ' ', sizeof loop);
	memcpy(loop, "v=spf1 include:loop.example", 27);
	zone_add(&zone, "loop.example", "TXT", loop, sizeof loop);
	zone.asked = 0;
	tap_ok(check("x@loop.example", "192.0.2.1") == SPF_PERMERROR && zone.asked <= 5,
		"as are records that include each other");
	zone_add(&zone, "again.example", "TXT", "v=spf1 redirect=again.example", 29);
	zone.asked = 0;
	tap_ok(check("x@again.example", "192.0.2.1") == SPF_PERMERROR && zone.asked == 11,
		"10 terms, 11 records");
}

static void test_long_senders(void)
{
	static char sender[SPF_SENDER + 20];

	memset(sender, 'x', SPF_SENDER);
	memcpy(sender + SPF_SENDER, "@long.example", 14);
	tap_ok(check(sender, "192.0.2.1") == SPF_NONE, "a sender without end is none");
	tap_ok(check(sender + 100, "192.0.2.1") == SPF_FAIL, "a long one is one");
}

int main(void)
{
	test_grammar();
	test_version();
	test_names();
	test_macros();
	test_explanations();
	test_long_names();
	test_file("tests/data/spf/rfc7208");
	test_file("tests/data/spf/own");
	test_long_records();
	test_long_senders();
	return tap_end();
}
