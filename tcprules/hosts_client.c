#include "tcprules/hosts_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"

static char *copied(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return copy;
}

static void lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text + ('a' - 'A'));
}

static const char *const no_network = "is no network";

/* Decimal without leading zeros: they are octal for libwrap. */
static bool parse_octet(const char *p, size_t n, unsigned long *value)
{
	return (n == 1 || (n > 1 && p[0] != '0')) && num_parse_n(p, n, 0, 255, value) == NULL;
}

/* The number of octets read into the IPv4 net; -1 for anything but octets between dots. A dot at the end is
 * allowed. */
static int parse_octets(const char *text, struct hosts_net *net)
{
	static const struct addr zero = { { [10] = 0xff, [11] = 0xff } };

	net->base = zero;
	net->is_v4 = true;
	for (int i = 0; i < 4; i++) {
		const size_t n = strcspn(text, ".");
		unsigned long value;

		if (n == 0 && i > 0 && text[0] == '\0')
			return i;
		if (!parse_octet(text, n, &value))
			return -1;
		net->base.byte[12 + i] = (unsigned char)value;
		text += n;
		if (*text == '\0')
			return i + 1;
		text++;
	}
	return -1;
}

/* Nothing but digits and dots: it is compared with the address as text and with nothing else. */
static const char *parse_numeric(const char *text, struct hosts_pattern *p)
{
	const size_t n = strlen(text);
	const int octets = parse_octets(text, &p->net);

	if (text[0] == '.')
		return "the end of an address is no rule";
	p->kind = HOSTS_NET;
	if (octets < 1 || (octets == 4) != (text[n - 1] != '.'))
		p->kind = HOSTS_NEVER;
	else
		p->net.bits = 96 + 8 * (unsigned)octets;
	return NULL;
}

/* The number of ones in front, -1 when there are others. */
static int mask_bits(const unsigned char m[4])
{
	int bits = 0;

	while (bits < 32 && (m[bits / 8] & (0x80 >> bits % 8)) != 0)
		bits++;
	for (int i = bits; i < 32; i++)
		if ((m[i / 8] & (0x80 >> i % 8)) != 0)
			return -1;
	return bits;
}

static bool cut_network(struct hosts_net *net)
{
	const struct addr before = net->base;

	addr_mask(&net->base, net->bits);
	return addr_equal(&net->base, &before);
}

static const char *parse_v4_net(const char *net, const char *mask, struct hosts_pattern *p)
{
	struct hosts_net m;
	unsigned long bits;
	int ones;

	if (parse_octets(net, &p->net) != 4 || net[strlen(net) - 1] == '.')
		return no_network;
	p->kind = HOSTS_NET;
	if (num_parse(mask, 0, 32, &bits) == NULL) {
		ones = (int)bits;
		if (bits == 0) /* no mask for libwrap, but 0.0.0.0 is one */
			p->kind = HOSTS_NEVER;
	} else {
		if (parse_octets(mask, &m) != 4 || mask[strlen(mask) - 1] == '.')
			return no_network;
		ones = mask_bits(m.base.byte + 12);
		if (ones == 32)
			p->kind = HOSTS_NEVER; /* it is INADDR_NONE */
	}
	if (ones == -1)
		return "a mask with holes is no rule";
	p->net.bits = 96 + (unsigned)ones;
	if (!cut_network(&p->net))
		p->kind = HOSTS_NEVER;
	return NULL;
}

/* [address] or [address]/bits; what is behind bits does not count. */
static const char *parse_v6_net(char *text, struct hosts_pattern *p)
{
	char *end = strchr(text, ']');
	unsigned long bits = 128;

	if (end == NULL)
		return no_network;
	*end = '\0';
	if (strchr(text, ':') == NULL || addr_parse(text + 1, &p->net.base) != NULL)
		return no_network;
	if (end[1] != '\0' && (end[1] != '/' || num_parse(end + 2, 0, 128, &bits) != NULL))
		return no_network;
	p->net.bits = (unsigned)bits;
	p->net.is_v4 = false;
	/* an IPv4 client is never ::ffff:a.b.c.d there */
	p->kind = bits >= 96 && addr_is_v4(&p->net.base) ? HOSTS_NEVER : HOSTS_NET;
	cut_network(&p->net);
	return NULL;
}

static const struct word {
	const char *text;
	enum hosts_kind kind;
} words[] = {
	{ "ALL", HOSTS_ALL },
	{ "KNOWN", HOSTS_KNOWN },
	{ "UNKNOWN", HOSTS_UNKNOWN },
	{ "LOCAL", HOSTS_LOCAL },
};

static bool is_name(const char *text)
{
	for (; *text != '\0'; text++)
		if (!((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') ||
			    strchr("-_.", *text)))
			return false;
	return true;
}

static const char *parse_name(const char *text, struct hosts_pattern *p)
{
	const size_t n = strlen(text);

	if (text[n - 1] == '.')
		return "the beginning of a name is no rule";
	p->name = copied(text);
	lower(p->name);
	if (!is_name(p->name))
		return "is no name";
	p->kind = text[0] == '.' ? HOSTS_SUFFIX : HOSTS_NAME;
	return NULL;
}

static const char *parse_host(char *text, struct hosts_pattern *p)
{
	char *slash;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(text, words[i].text) == 0) {
			p->kind = words[i].kind;
			return NULL;
		}
	if (strcasecmp(text, "PARANOID") == 0)
		return "a name that its addresses deny is no name for rules";
	if (text[0] == '@')
		return "a netgroup is no rule";
	if (text[0] == '/')
		return "a file of patterns is no rule: put its lines here";
	if (strpbrk(text, "*?") != NULL)
		return "a wildcard is no rule";
	if (text[0] == '[')
		return parse_v6_net(text, p);
	slash = strchr(text, '/');
	if (slash != NULL) {
		*slash = '\0';
		return parse_v4_net(text, slash + 1, p);
	}
	if (strspn(text, "0123456789.") == strlen(text))
		return parse_numeric(text, p);
	return parse_name(text, p);
}

const char *hosts_client_parse(char *text, struct hosts_pattern *p)
{
	char *at = strchr(text + 1, '@');

	memset(p, 0, sizeof *p);
	if (at == NULL)
		return parse_host(text, p);
	*at = '\0';
	/* anybody who may have a name: that is the host's business only */
	return strcasecmp(text, "ALL") == 0 ? parse_host(at + 1, p) : "user@host is no rule";
}
