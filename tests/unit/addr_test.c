#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>

#include "tests/unit/tap.h"

/* want: the one form that it is printed in; NULL: refused. */
static const struct {
	const char *text;
	const char *want;
} cases[] = {
	{ "0.0.0.0", "0.0.0.0" },
	{ "127.0.0.1", "127.0.0.1" },
	{ "127.000.00.01", "127.0.0.1" },
	{ "010.09.08.0255", "10.9.8.255" },
	{ "[1.2.3.4]", "1.2.3.4" },
	{ "::1", "::1" },
	{ "[::1]", "::1" },
	{ "::", "::" },
	{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
	{ "::ffff:1.2.3.4", "1.2.3.4" },
	{ "::FFFF:102:304", "1.2.3.4" },
	{ "0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4" },
	{ "::1.2.3.4", "::1.2.3.4" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "", NULL },
	{ "[]", NULL },
	{ "[", NULL },
	{ "1.2.3", NULL },
	{ "1.2.3.", NULL },
	{ "1.2.3.4.", NULL },
	{ "1.2.3.4.5", NULL },
	{ "1.2.3.256", NULL },
	{ "1.2.3.-4", NULL },
	{ "1.2.3.+4", NULL },
	{ "1.2.3.0x4", NULL },
	{ "1.2.3. 4", NULL },
	{ " 1.2.3.4", NULL },
	{ "1.2.3.4 ", NULL },
	{ "1..3.4", NULL },
	{ "1.2.3.99999999999999999999", NULL },
	{ "localhost", NULL },
	{ "1:2:3:4:5:6:7", NULL },
	{ "1:2:3:4:5:6:7:8:9", NULL },
	{ "::1::", NULL },
	{ "fe80::1%eth0", NULL },
	{ "::ffff:1.2.3.256", NULL },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL },
};

static void test_text(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct addr a;
		char text[ADDR_TEXT];
		const char *wrong = addr_parse(cases[i].text, &a);

		if (cases[i].want == NULL) {
			tap_ok(wrong != NULL, cases[i].text);
		} else if (wrong != NULL) {
			tap_ok(false, cases[i].text);
		} else {
			addr_format(&a, text);
			tap_same(text, cases[i].want, cases[i].text);
		}
	}
}

static bool survives(const char *text, int family)
{
	struct sockaddr_storage s;
	struct addr a, b;
	unsigned port = 0;

	if (addr_parse(text, &a) != NULL)
		return false;
	addr_to_sockaddr(&a, 65535, &s);
	return s.ss_family == family && addr_from_sockaddr(&s, &b, &port) == 0 && addr_equal(&a, &b) &&
	       port == 65535 && addr_is_v4(&a) == (family == AF_INET);
}

static void test_sockaddr(void)
{
	struct sockaddr_storage s = { .ss_family = AF_UNIX };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(25) };
	struct addr a, mapped;
	unsigned port;

	tap_ok(survives("1.2.3.4", AF_INET), "an IPv4 address through a sockaddr");
	tap_ok(survives("2001:db8::1", AF_INET6), "an IPv6 address through a sockaddr");
	tap_ok(survives("::ffff:1.2.3.4", AF_INET), "a mapped address is AF_INET");
	tap_ok(addr_from_sockaddr(&s, &a, &port) == -1, "a Unix address is none");
	if (addr_parse("::ffff:1.2.3.4", &mapped) == NULL)
		memcpy(&in6.sin6_addr, mapped.byte, 16);
	memcpy(&s, &in6, sizeof in6);
	tap_ok(addr_from_sockaddr(&s, &a, &port) == 0 && addr_is_v4(&a) && port == 25,
		"a mapped address from an IPv6 socket is IPv4");
}

static void test_arpa(void)
{
	struct addr a;
	char name[ADDR_ARPA] = "";

	if (addr_parse("1.2.30.255", &a) == NULL)
		addr_arpa(&a, name);
	tap_same(name, "255.30.2.1.in-addr.arpa", "the reverse name of IPv4");
	if (addr_parse("2001:db8::567:89ab", &a) == NULL)
		addr_arpa(&a, name);
	tap_same(name, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		"the reverse name of IPv6 (RFC 3596, 2.5)");
}

/* Ours is the text of this system's inet_ntop, but for addresses of IPv4. */
static void test_format(void)
{
	uint64_t state = 1;
	unsigned long differ = 0;

	for (int i = 0; i < 100000; i++) {
		char ours[ADDR_TEXT], theirs[ADDR_TEXT];
		struct addr a;

		for (int k = 0; k < 16; k++) {
			state = state * 6364136223846793005U + 1442695040888963407U;
			a.byte[k] = (state >> 60) < 11 ? 0 : (unsigned char)(state >> 40);
		}
		addr_format(&a, ours);
		inet_ntop(AF_INET6, a.byte, theirs, sizeof theirs);
		if (!addr_is_v4(&a) && strcmp(ours, theirs) != 0 && differ++ < 3)
			printf("# %s, inet_ntop has %s\n", ours, theirs);
	}
	tap_ok(differ == 0, "100000 texts are those of inet_ntop");
}

/* Against bit by bit. */
static void test_prefix(void)
{
	bool good = true;

	for (unsigned bits = 0; bits <= ADDR_BITS; bits++) {
		struct addr all, masked, other;

		memset(&all, 0xff, sizeof all);
		masked = all;
		addr_mask(&masked, bits);
		for (unsigned i = 0; i < ADDR_BITS; i++) {
			good = good && (masked.byte[i / 8] >> (7 - i % 8) & 1) == (i < bits);
			other = all;
			other.byte[i / 8] ^= (unsigned char)(0x80U >> i % 8);
			good = good && addr_prefix_equal(&all, &other, bits) == (i >= bits);
		}
		good = good && addr_prefix_equal(&all, &all, bits) &&
		       addr_prefix_equal(&all, &masked, bits);
	}
	tap_ok(good, "networks of every length");
}

int main(void)
{
	test_text();
	test_format();
	test_prefix();
	test_sockaddr();
	test_arpa();
	return tap_end();
}
