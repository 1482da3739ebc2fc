#include "net/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/tap.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) (text), sizeof(text) - 1

/* want: the ends as "remote port local port", "own", or what is wrong with it; NULL: no header. A header is
 * followed by rest bytes that are none of it. */
static const struct {
	const char *name;
	const char *bytes;
	size_t n;
	size_t rest;
	const char *want;
} cases[] = {
	{ "v1 IPv4", BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n"), 0,
		"192.0.2.1 56324 198.51.100.2 25" },
	{ "v1 limits", BYTES("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\nEHLO"), 4,
		"255.255.255.255 65535 0.0.0.0 0" },
	{ "v1 IPv6", BYTES("PROXY TCP6 2001:DB8::1 ::1 1 2\r\n\r\n"), 2, "2001:db8::1 1 ::1 2" },
	{ "v1 mapped", BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n"), 0,
		"192.0.2.1 1 192.0.2.2 2" },
	{ "v1 longest",
		BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\nx"),
		1,
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"65535" },
	{ "v1 unknown", BYTES("PROXY UNKNOWN\r\nx"), 1, "own" },
	{ "v1 unknown and more",
		BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\nEHLO"),
		4, "own" },
	{ "v1 unknown and anything", BYTES("PROXY UNKNOWN  of no use\r\n"), 0, "own" },
	{ "v1 unknown, 108 bytes",
		BYTES("PROXY UNKNOWN fffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		0, "line too long" },
	{ "v1 another word", BYTES("PROXY UNKNOWNS\r\n"), 0, "neither TCP4 nor TCP6 nor UNKNOWN" },
	{ "v1 UDP4", BYTES("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), 0,
		"neither TCP4 nor TCP6 nor UNKNOWN" },
	{ "v1 small letters", BYTES("PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n"), 0,
		"neither TCP4 nor TCP6 nor UNKNOWN" },
	{ "v1 nothing", BYTES("PROXY \r\n"), 0, "neither TCP4 nor TCP6 nor UNKNOWN" },
	{ "v1 two blanks at the start", BYTES("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 0,
		"neither TCP4 nor TCP6 nor UNKNOWN" },
	{ "v1 two blanks", BYTES("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n"), 0,
		"no address of that family" },
	{ "v1 blank at the end", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"), 0, "no port" },
	{ "v1 five words", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), 0, "no port" },
	{ "v1 seven words", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), 0, "no port" },
	{ "v1 a tab", BYTES("PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n"), 0, "a byte that is no text" },
	{ "v1 a NUL", BYTES("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), 0, "a byte that is no text" },
	{ "v1 LF alone", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), 0, "a byte that is no text" },
	{ "v1 CR alone", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx"), 0, "CR without LF" },
	{ "v1 wrong family", BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"), 0, "no address of that family" },
	{ "v1 wrong family too", BYTES("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), 0,
		"no address of that family" },
	{ "v1 one of each", BYTES("PROXY TCP6 ::1 192.0.2.2 1 2\r\n"), 0, "no address of that family" },
	{ "v1 address with a zero in front", BYTES("PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n"), 0,
		"no address of that family" },
	{ "v1 three numbers", BYTES("PROXY TCP4 192.0.1 192.0.2.2 1 2\r\n"), 0,
		"no address of that family" },
	{ "v1 256", BYTES("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"), 0, "no address of that family" },
	{ "v1 scope", BYTES("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"), 0, "no address of that family" },
	{ "v1 brackets", BYTES("PROXY TCP6 [::1] ::1 1 2\r\n"), 0, "no address of that family" },
	{ "v1 two ::", BYTES("PROXY TCP6 1::2::3 ::1 1 2\r\n"), 0, "no address of that family" },
	{ "v1 port too large", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"), 0, "no port" },
	{ "v1 port with a zero in front", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 025\r\n"), 0, "no port" },
	{ "v1 port 00", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 00 25\r\n"), 0, "no port" },
	{ "v1 port with a sign", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 +1 25\r\n"), 0, "no port" },
	{ "v1 no port", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n"), 0, "no port" },

	{ "v2 IPv4",
		BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"
				"EHLO"),
		4, "192.0.2.1 56324 198.51.100.2 25" },
	{ "v2 IPv6",
		BYTES(SIGNATURE "\x21\x21\0\x24"
				"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
				"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
				"\0\1\0\2"),
		0, "2001:db8::1 1 ::1 2" },
	{ "v2 mapped",
		BYTES(SIGNATURE "\x21\x21\0\x24"
				"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
				"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\2"
				"\0\1\0\2"),
		0, "192.0.2.1 1 192.0.2.2 2" },
	{ "v2 TLVs",
		BYTES(SIGNATURE "\x21\x11\0\x15\xc0\0\2\1\xc0\0\2\2\0\1\0\2"
				"\x04\0\0"
				"\xea\0\3abc"),
		0, "192.0.2.1 1 192.0.2.2 2" },
	{ "v2 half a TLV's head",
		BYTES(SIGNATURE "\x21\x11\0\x0e\xc0\0\2\1\xc0\0\2\2\0\1\0\2"
				"\x04\0"),
		0, "cut TLV" },
	{ "v2 TLV over the end",
		BYTES(SIGNATURE "\x21\x11\0\x10\xc0\0\2\1\xc0\0\2\2\0\1\0\2"
				"\x04\0\2a"),
		0, "TLV longer than the header" },
	{ "v2 checksum of another size",
		BYTES(SIGNATURE "\x21\x11\0\x10\xc0\0\2\1\xc0\0\2\2\0\1\0\2"
				"\3\0\1a"),
		0, "wrong checksum" },
	{ "v2 wrong checksum",
		BYTES(SIGNATURE "\x21\x11\0\x13\xc0\0\2\1\xc0\0\2\2\0\1\0\2"
				"\3\0\4\0\0\0\0"),
		0, "wrong checksum" },
	{ "v2 LOCAL", BYTES(SIGNATURE "\x20\0\0\0x"), 1, "own" },
	{ "v2 LOCAL discards", BYTES(SIGNATURE "\x20\xff\0\2xyz"), 1, "own" },
	{ "v2 LOCAL with addresses", BYTES(SIGNATURE "\x20\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"),
		0, "own" },
	{ "v2 UNSPEC", BYTES(SIGNATURE "\x21\0\0\0"), 0, "own" },
	{ "v2 UNSPEC and more", BYTES(SIGNATURE "\x21\0\0\3abc"), 0, "own" },
	{ "v2 UDP", BYTES(SIGNATURE "\x21\x12\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"), 0, "own" },
	{ "v2 UDP cut short", BYTES(SIGNATURE "\x21\x12\0\x0b\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0"), 0,
		"addresses cut short" },
	{ "v2 AF_UNIX cut short", BYTES(SIGNATURE "\x21\x31\0\2ab"), 0, "addresses cut short" },
	{ "v2 IPv4 cut short", BYTES(SIGNATURE "\x21\x11\0\x0b\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0"), 0,
		"addresses cut short" },
	{ "v2 IPv6 with the length of IPv4",
		BYTES(SIGNATURE "\x21\x21\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"), 0,
		"addresses cut short" },
	{ "v2 no such family", BYTES(SIGNATURE "\x21\x41\0\0"), 0, "unknown family or transport" },
	{ "v2 no such transport", BYTES(SIGNATURE "\x21\x13\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"), 0,
		"unknown family or transport" },
	{ "v2 no such command", BYTES(SIGNATURE "\x22\x11\0\0"), 0,
		"neither LOCAL nor PROXY of version 2" },
	{ "v2 version 1", BYTES(SIGNATURE "\x11\x11\0\0"), 0, "neither LOCAL nor PROXY of version 2" },
	{ "v2 version 3", BYTES(SIGNATURE "\x31\x11\0\0"), 0, "neither LOCAL nor PROXY of version 2" },
	{ "v2 too long", BYTES(SIGNATURE "\x21\x11\x0f\xf1"), 0, "too long" },

	{ "an SMTP client", BYTES("EHLO x\r\n"), 0, NULL },
	{ "an HTTP client", BYTES("PUT / HTTP/1.0\r\n"), 0, NULL },
	{ "almost v1", BYTES("PROXY\r\n"), 0, NULL },
	{ "small letters", BYTES("proxy TCP4 "), 0, NULL },
	{ "almost v2", BYTES("\r\n\r\n\0\r\nQUIT\r\n"), 0, NULL },
	{ "empty lines", BYTES("\r\n\r\n\r\n"), 0, NULL },
};

static void describe(enum proxy answer, const struct proxy_header *h, char *text, size_t size)
{
	char remote[ADDR_TEXT], local[ADDR_TEXT];

	if (answer == PROXY_BAD) {
		snprintf(text, size, "%s", h->fault);
	} else if (answer != PROXY_DONE || h->own) {
		snprintf(text, size, "%s",
			answer == PROXY_DONE   ? "own"
			: answer == PROXY_MORE ? "more"
					       : "none");
	} else {
		addr_format(&h->ends.remote, remote);
		addr_format(&h->ends.local, local);
		snprintf(text, size, "%s %u %s %u", remote, h->ends.remote_port, local, h->ends.local_port);
	}
}

/* From exactly so many bytes, so that the sanitizer sees a look behind them. */
static enum proxy parse(const char *bytes, size_t n, struct proxy_header *h)
{
	unsigned char *copy = malloc(n + (n == 0));
	enum proxy answer;

	if (copy == NULL)
		abort();
	memcpy(copy, bytes, n);
	answer = proxy_parse(copy, n, h);
	free(copy);
	return answer;
}

/* Every beginning: MORE until the answer, and the same answer from then on. */
static bool same_in_pieces(const char *bytes, size_t n, enum proxy want, const struct proxy_header *whole)
{
	bool decided = false;

	for (size_t i = 0; i <= n; i++) {
		struct proxy_header h;
		const enum proxy answer = parse(bytes, i, &h);

		if (answer == PROXY_MORE && !decided)
			continue;
		if (answer != want || h.len != whole->len || h.fault != whole->fault ||
			(want == PROXY_DONE && i < whole->len) ||
			memcmp(&h.ends, &whole->ends, sizeof h.ends) != 0)
			return false;
		decided = true;
	}
	return decided;
}

static void test_table(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct proxy_header h;
		const enum proxy answer = parse(cases[i].bytes, cases[i].n, &h);
		char text[256], name[128];

		describe(answer, &h, text, sizeof text);
		tap_same(text, cases[i].want == NULL ? "none" : cases[i].want, cases[i].name);
		if (answer == PROXY_DONE) {
			snprintf(name, sizeof name, "%s: its length", cases[i].name);
			tap_ok(h.len + cases[i].rest == cases[i].n, name);
		}
		snprintf(name, sizeof name, "%s: in any pieces", cases[i].name);
		tap_ok(same_in_pieces(cases[i].bytes, cases[i].n, answer, &h), name);
	}
}

/* Decided as early as can be: the byte that shows it is the last that is needed. */
static void test_early(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum proxy want;
	} early[] = {
		{ BYTES(""), PROXY_MORE },
		{ BYTES("P"), PROXY_MORE },
		{ BYTES("PROXY"), PROXY_MORE },
		{ BYTES("E"), PROXY_NONE },
		{ BYTES("PU"), PROXY_NONE },
		{ BYTES("PROXY\r"), PROXY_NONE },
		{ BYTES("\r\n\r"), PROXY_MORE },
		{ BYTES("\n"), PROXY_NONE },
		{ BYTES("\r\n\r\n\1"), PROXY_NONE },
		{ BYTES(SIGNATURE), PROXY_MORE },
		{ BYTES(SIGNATURE "\x10"), PROXY_BAD },
		{ BYTES(SIGNATURE "\x21\x11\x10\0"), PROXY_BAD },
	};

	for (size_t i = 0; i < sizeof early / sizeof early[0]; i++) {
		struct proxy_header h;
		char name[32];

		snprintf(name, sizeof name, "early %zu", i);
		tap_ok(parse(early[i].bytes, early[i].n, &h) == early[i].want, name);
	}
}

static size_t write_v1(const struct ends *e, char *to, size_t size)
{
	char remote[ADDR_TEXT], local[ADDR_TEXT];

	addr_format(&e->remote, remote);
	addr_format(&e->local, local);
	return (size_t)snprintf(to, size, "PROXY TCP%c %s %s %u %u\r\n", addr_is_v4(&e->remote) ? '4' : '6',
		remote, local, e->remote_port, e->local_port);
}

static size_t write_v2(const struct ends *e, char *to)
{
	const size_t n = addr_is_v4(&e->remote) ? 4 : 16;
	const uint16_t ports[2] = { htons((uint16_t)e->remote_port), htons((uint16_t)e->local_port) };

	memcpy(to, SIGNATURE, 12);
	to[12] = 0x21;
	to[13] = n == 4 ? 0x11 : 0x21;
	to[14] = 0;
	to[15] = (char)(2 * n + 4);
	memcpy(to + 16, e->remote.byte + 16 - n, n);
	memcpy(to + 16 + n, e->local.byte + 16 - n, n);
	memcpy(to + 16 + 2 * n, ports, sizeof ports);
	return 16 + 2 * n + 4;
}

/* Numerical Recipes' generator: the same on every machine. */
static unsigned any(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return state >> 16;
}

static void random_ends(struct ends *e)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(e, 0, sizeof *e);
	for (int i = 0; i < 16; i++) {
		e->remote.byte[i] = (unsigned char)any();
		e->local.byte[i] = (unsigned char)any();
	}
	e->remote_port = any();
	e->local_port = any();
	if (any() & 1) {
		memcpy(e->remote.byte, mapped, sizeof mapped);
		memcpy(e->local.byte, mapped, sizeof mapped);
	}
}

static bool comes_back(const struct ends *e, const char *bytes, size_t n)
{
	struct proxy_header h;

	return parse(bytes, n, &h) == PROXY_DONE && h.len == n && !h.own &&
	       memcmp(&h.ends, e, sizeof *e) == 0;
}

static void test_identity(void)
{
	int good1 = 0, good2 = 0;

	for (int i = 0; i < 500; i++) {
		struct ends e;
		char bytes[256];

		random_ends(&e);
		good1 += comes_back(&e, bytes, write_v1(&e, bytes, sizeof bytes));
		good2 += comes_back(&e, bytes, write_v2(&e, bytes));
	}
	tap_ok(good1 == 500, "500 headers of version 1 are read as they were written");
	tap_ok(good2 == 500, "500 headers of version 2 are read as they were written");
}

/* The check value of CRC-32C is 0xe3069283 for "123456789"; this header's was made by another program. */
static void test_checksum(void)
{
	static const char right[] = SIGNATURE "\x21\x11\0\x13\xc0\0\2\1\xc0\0\2\2\0\1\0\2"
					      "\3\0\4"
					      "\x4f\xff\xf3\x3d";
	char bytes[sizeof right - 1];
	struct proxy_header h;
	int wrong = 0;

	tap_ok(parse(right, sizeof bytes, &h) == PROXY_DONE, "a checksum that is right");
	for (size_t i = 16; i < sizeof bytes; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bytes, right, sizeof bytes);
			bytes[i] ^= (char)(1 << bit);
			/* the TLV may become one that says nothing */
			wrong += parse(bytes, sizeof bytes, &h) == PROXY_DONE && i != 28;
		}
	tap_ok(wrong == 0, "and one bit anywhere makes it wrong");
}

static void test_largest(void)
{
	static char bytes[PROXY_MAX + 1];
	struct proxy_header h;
	const size_t rest = PROXY_MAX - 16;

	memcpy(bytes, SIGNATURE "\x21\x11", 14);
	bytes[14] = (char)(rest >> 8);
	bytes[15] = (char)rest;
	bytes[28] = (char)0xe0;
	bytes[29] = (char)((rest - 15) >> 8);
	bytes[30] = (char)(rest - 15);
	tap_ok(parse(bytes, PROXY_MAX - 1, &h) == PROXY_MORE, "one byte less than the largest");
	tap_ok(parse(bytes, sizeof bytes, &h) == PROXY_DONE && h.len == PROXY_MAX, "the largest");
}

/* ---- on a socket */

/* A TCP connection in pair: what is written to [1] arrives at [0]. */
static bool connection(int pair[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	const int listener = socket(AF_INET, SOCK_STREAM, 0);
	bool good;

	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	good = bind(listener, (const struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0 &&
	       getsockname(listener, (struct sockaddr *)&at, &size) == 0 &&
	       connect(pair[1], (const struct sockaddr *)&at, size) == 0;
	pair[0] = good ? accept(listener, NULL, NULL) : -1;
	close(listener);
	return pair[0] != -1;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

static bool is_as_before(int fd)
{
	int low = 0;
	socklen_t size = sizeof low;

	return getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, &size) == 0 && low == 1;
}

static const char header[] = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
enum { HEADER = sizeof header - 1 };

static void test_byte_by_byte(void)
{
	struct proxy_header h;
	char rest[16] = "";
	int fd[2], more = 0, spins = 0;

	if (!tap_ok(connection(fd), "a connection"))
		return;
	tap_ok(proxy_read(fd[0], &h) == PROXY_MORE, "nothing yet");
	for (size_t i = 0; i < HEADER - 1; i++) {
		if (write(fd[1], header + i, 1) != 1 || !readable(fd[0], 5000))
			break;
		more += proxy_read(fd[0], &h) == PROXY_MORE;
		spins += readable(fd[0], 0);
	}
	tap_ok(more == HEADER - 1, "each byte wakes, and asks for more");
	tap_ok(spins == 0, "no poll returns for what was seen already");
	tap_ok(write(fd[1], "\nEHLO x", 7) == 7 && readable(fd[0], 5000),
		"the last byte, and the client's");
	tap_ok(proxy_read(fd[0], &h) == PROXY_DONE && h.len == HEADER, "the header");
	tap_ok(is_as_before(fd[0]), "the socket is as it was");
	tap_ok(read(fd[0], rest, sizeof rest) == 6 && strcmp(rest, "EHLO x") == 0,
		"the client's bytes are there");
	close(fd[0]);
	close(fd[1]);
}

static void test_end(const char *bytes, enum proxy want, const char *name)
{
	struct proxy_header h;
	int fd[2];
	bool good;

	good = connection(fd) && write(fd[1], bytes, strlen(bytes)) == (ssize_t)strlen(bytes) &&
	       shutdown(fd[1], SHUT_WR) == 0 && readable(fd[0], 5000);
	for (int i = 0; i < 100 && good; i++) { /* the end may arrive after the bytes */
		struct pollfd p = { .fd = fd[0], .events = POLLRDHUP };

		if (poll(&p, 1, 50) == 1)
			break;
	}
	tap_ok(good && proxy_read(fd[0], &h) == want && is_as_before(fd[0]), name);
	close(fd[0]);
	close(fd[1]);
}

static void test_stop(void)
{
	struct proxy_header h;
	char rest[8] = "";
	int fd[2];
	bool good = connection(fd) && write(fd[1], "PRO", 3) == 3 && readable(fd[0], 5000);

	tap_ok(good && proxy_read(fd[0], &h) == PROXY_MORE, "the beginning of something");
	proxy_stop(fd[0]);
	tap_ok(is_as_before(fd[0]) && readable(fd[0], 0), "who stops waiting has the socket as it was");
	tap_ok(read(fd[0], rest, sizeof rest) == 3 && strcmp(rest, "PRO") == 0, "and nothing is gone");
	close(fd[0]);
	close(fd[1]);
}

static void test_no_socket(void)
{
	struct proxy_header h;
	int fd[2];

	if (pipe(fd) == -1)
		return;
	tap_ok(proxy_read(fd[0], &h) == PROXY_BAD && h.fault != NULL, "a pipe is an error");
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	test_table();
	test_early();
	test_identity();
	test_checksum();
	test_largest();
	test_byte_by_byte();
	test_end("", PROXY_NONE, "an end before the first byte is no header");
	test_end("PROXY TCP4 192", PROXY_BAD, "an end inside is a bad one");
	test_end("PROXY ", PROXY_BAD, "as soon as it is one");
	test_end("PROXY", PROXY_NONE, "where it only might be one it is none");
	test_end("\r\n\r\n", PROXY_NONE, "nor are a few empty lines");
	test_end("QUIT\r\n", PROXY_NONE, "other bytes and the end are no header");
	test_end(header, PROXY_DONE, "a header and the end");
	test_stop();
	test_no_socket();
	return tap_end();
}
