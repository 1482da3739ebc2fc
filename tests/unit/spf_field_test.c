/* Received-SPF fields, and networks. */
#include "smtpd/spf_field.h"

#include "smtpd/networks.h"
#include "tests/unit/tap.h"

static void check_field(const struct spf_field *f, const char *want)
{
	char memory[4096];
	struct str out;

	str_init(&out, memory, sizeof memory);
	spf_field_put(&out, f);
	tap_same(out.full ? "full" : out.s, want, want);
}

static void test_fields(void)
{
	static char longest[401], more[402];
	struct spf_verdict v = { .result = SPF_PASS, .domain = "a.example", .mechanism = "a/24" };
	struct spf_field f = { .identity = "mailfrom",
		.receiver = "mx.example",
		.client = "192.0.2.1",
		.sender = "joe@a.example",
		.helo = "h.example",
		.verdict = &v };
	char memory[4096];
	struct str out;

	check_field(&f,
		"Received-SPF: "
		"pass\n\tidentity=mailfrom;\n\tclient-ip=192.0.2.1;\n\tenvelope-from=\"joe@a.example\";"
		"\n\thelo=h.example;\n\treceiver=mx.example;\n\tmechanism=a/24");
	v.result = SPF_PERMERROR;
	v.problem = "has a bug";
	memcpy(v.mechanism, "default", 8);
	f.identity = "helo";
	f.sender = "";
	f.helo = ".a..b\t\"\\\xff";
	f.client = "2001:db8::1";
	check_field(&f, "Received-SPF: "
			"permerror\n\tidentity=helo;\n\tclient-ip=\"2001:db8::1\";\n\tenvelope-from=\"\";"
			"\n\thelo=\".a..b?\\\"\\\\?\";\n\treceiver=mx.example;\n\tmechanism=default;"
			"\n\tproblem=\"has a bug\"");
	memset(longest, '"', sizeof longest - 1);
	memset(more, 'x', sizeof more - 1);
	f.sender = longest;
	f.helo = more;
	str_init(&out, memory, sizeof memory);
	spf_field_put(&out, &f);
	tap_ok(!out.full && strstr(out.s, "envelope-from=\"\\\"\\\"") != NULL &&
			strstr(out.s, "helo=") == NULL,
		"what makes no line is left out");
}

static void test_networks(void)
{
	static const char *const bad[] = { "", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/x",
		"::1/129", "1.2.3.4/-1", "1.2.3.4 /8",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/8" };
	static struct networks n;
	struct addr a = { 0 };
	bool good = true;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		good &= networks_add(&n, bad[i]) != NULL;
	tap_ok(good && n.count == 0, "what is no network");
	tap_ok(networks_add(&n, "192.0.2.77/25") == NULL && networks_add(&n, "2001:db8::/33") == NULL &&
			networks_add(&n, "198.51.100.1") == NULL && networks_add(&n, "2001:db9::1") == NULL,
		"networks and addresses");
	tap_ok(addr_parse("192.0.2.127", &a) == NULL && networks_have(&n, &a), "the last of one");
	tap_ok(addr_parse("192.0.2.128", &a) == NULL && !networks_have(&n, &a), "the first behind it");
	tap_ok(addr_parse("2001:db8:7fff::", &a) == NULL && networks_have(&n, &a), "IPv6");
	tap_ok(addr_parse("2001:db8:8000::", &a) == NULL && !networks_have(&n, &a), "and not");
	tap_ok(addr_parse("198.51.100.1", &a) == NULL && networks_have(&n, &a), "one address");
	tap_ok(addr_parse("198.51.100.2", &a) == NULL && !networks_have(&n, &a), "not its neighbour");
	while (n.count < NETWORKS_MAX)
		good &= networks_add(&n, "::1") == NULL;
	tap_ok(good && networks_add(&n, "::1") != NULL, "512 of them");
}

int main(void)
{
	test_fields();
	test_networks();
	return tap_end();
}
