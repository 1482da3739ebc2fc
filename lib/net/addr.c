#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"

static const unsigned char v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static const char *const not_an_address = "is not an IP address";

/* Four decimal numbers: inet_pton refuses leading zeros, inet_aton reads them as octal. */
static const char *parse_v4(const char *text, size_t n, struct addr *out)
{
	struct addr a;
	const char *end = text + n;

	memcpy(a.byte, v4_prefix, sizeof v4_prefix);
	for (int i = 0; i < 4; i++) {
		const char *dot = i == 3 ? end : memchr(text, '.', (size_t)(end - text));
		unsigned long value;

		if (dot == NULL || num_parse_n(text, (size_t)(dot - text), 0, 255, &value) != NULL)
			return not_an_address;
		a.byte[12 + i] = (unsigned char)value;
		text = dot + 1;
	}
	*out = a;
	return NULL;
}

const char *addr_parse(const char *text, struct addr *out)
{
	size_t n = strlen(text);
	char copy[ADDR_TEXT];

	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (memchr(text, ':', n) == NULL)
		return parse_v4(text, n, out);
	if (n >= sizeof copy)
		return not_an_address;
	memcpy(copy, text, n);
	copy[n] = '\0';
	return inet_pton(AF_INET6, copy, out->byte) == 1 ? NULL : not_an_address;
}

static void put_v4(struct str *s, const unsigned char byte[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			str_putc(s, '.');
		str_putu(s, byte[i]);
	}
}

static void put_group(struct str *s, unsigned value)
{
	static const char hex[] = "0123456789abcdef";

	for (int shift = 12; shift >= 0; shift -= 4)
		if (value >> shift != 0 || shift == 0)
			str_putc(s, hex[value >> shift & 15]);
}

/* The first of the longest runs of zero groups, if it is longer than one: RFC 5952 section 4.2. */
static int longest_zeros(const unsigned group[8], int *count)
{
	int best = -1;

	*count = 1;
	for (int from = 0; from < 8; from++) {
		int to = from;

		while (to < 8 && group[to] == 0)
			to++;
		if (to - from > *count) {
			best = from;
			*count = to - from;
		}
	}
	return best;
}

static void put_v6(struct str *s, const struct addr *a)
{
	unsigned group[8];
	int zeros, count;

	for (size_t i = 0; i < 8; i++)
		group[i] = (unsigned)a->byte[2 * i] << 8 | a->byte[2 * i + 1];
	zeros = longest_zeros(group, &count);
	if (zeros == 0 && count == 6) { /* ::1.2.3.4, as inet_ntop(3) has it */
		str_puts(s, "::");
		put_v4(s, a->byte + 12);
		return;
	}
	for (int i = 0; i < 8; i++) {
		if (i == zeros) {
			str_puts(s, "::");
			i += count - 1;
			continue;
		}
		if (i > 0 && s->s[s->len - 1] != ':')
			str_putc(s, ':');
		put_group(s, group[i]);
	}
}

size_t addr_format(const struct addr *a, char text[ADDR_TEXT])
{
	struct str s;

	str_init(&s, text, ADDR_TEXT);
	if (addr_is_v4(a))
		put_v4(&s, a->byte + 12);
	else
		put_v6(&s, a);
	return s.len;
}

bool addr_is_v4(const struct addr *a)
{
	return memcmp(a->byte, v4_prefix, sizeof v4_prefix) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a->byte, b->byte, sizeof a->byte) == 0;
}

void addr_mask(struct addr *a, unsigned bits)
{
	const unsigned whole = bits / 8;

	if (whole >= sizeof a->byte)
		return;
	a->byte[whole] &= (unsigned char)(0xff00U >> bits % 8);
	memset(a->byte + whole + 1, 0, sizeof a->byte - whole - 1);
}

bool addr_prefix_equal(const struct addr *a, const struct addr *b, unsigned bits)
{
	const unsigned whole = bits / 8;

	if (memcmp(a->byte, b->byte, whole) != 0)
		return false;
	return bits % 8 == 0 || (a->byte[whole] ^ b->byte[whole]) >> (8 - bits % 8) == 0;
}

int addr_from_sockaddr(const struct sockaddr_storage *from, struct addr *out, unsigned *port)
{
	/* copies, because the storage is not known to hold either of the two types */
	if (from->ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, from, sizeof in);
		memcpy(out->byte, v4_prefix, sizeof v4_prefix);
		memcpy(out->byte + 12, &in.sin_addr, 4);
		*port = ntohs(in.sin_port);
		return 0;
	}
	if (from->ss_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, from, sizeof in6);
		memcpy(out->byte, &in6.sin6_addr, 16);
		*port = ntohs(in6.sin6_port);
		return 0;
	}
	errno = EAFNOSUPPORT;
	return -1;
}

socklen_t addr_to_sockaddr(const struct addr *a, unsigned port, struct sockaddr_storage *to)
{
	memset(to, 0, sizeof *to);
	if (addr_is_v4(a)) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

		memcpy(&in.sin_addr, a->byte + 12, 4);
		memcpy(to, &in, sizeof in);
		return sizeof in;
	}
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	memcpy(&in6.sin6_addr, a->byte, 16);
	memcpy(to, &in6, sizeof in6);
	return sizeof in6;
}

void addr_arpa(const struct addr *a, char name[ADDR_ARPA])
{
	static const char hex[] = "0123456789abcdef";
	struct str s;

	str_init(&s, name, ADDR_ARPA);
	if (addr_is_v4(a)) {
		for (int i = 15; i >= 12; i--) {
			str_putu(&s, a->byte[i]);
			str_putc(&s, '.');
		}
		str_puts(&s, "in-addr.arpa");
		return;
	}
	for (int i = 15; i >= 0; i--) {
		str_putc(&s, hex[a->byte[i] & 15]);
		str_putc(&s, '.');
		str_putc(&s, hex[a->byte[i] >> 4]);
		str_putc(&s, '.');
	}
	str_puts(&s, "ip6.arpa");
}
