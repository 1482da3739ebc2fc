#include "smtpd/networks.h"

#include <string.h>

#include "base/num.h"

const char *networks_add(struct networks *n, const char *text)
{
	const char *slash = strchr(text, '/'), *wrong;
	const size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char address[ADDR_TEXT];
	struct addr base;
	unsigned long bits;
	bool v4;

	if (n->count == NETWORKS_MAX)
		return "is one network too many (512)";
	if (len >= sizeof address)
		return "is not an IP address";
	memcpy(address, text, len);
	address[len] = '\0';
	wrong = addr_parse(address, &base);
	if (wrong != NULL)
		return wrong;
	v4 = addr_is_v4(&base);
	bits = v4 ? ADDR_BITS - ADDR_V4_BITS : ADDR_BITS;
	if (slash != NULL)
		wrong = num_parse(slash + 1, 0, bits, &bits);
	if (wrong != NULL)
		return "has a prefix length that is none";
	n->list[n->count].bits = (unsigned)bits + (v4 ? ADDR_V4_BITS : 0);
	addr_mask(&base, n->list[n->count].bits);
	n->list[n->count++].base = base;
	return NULL;
}

bool networks_have(const struct networks *n, const struct addr *a)
{
	for (size_t i = 0; i < n->count; i++)
		if (addr_prefix_equal(&n->list[i].base, a, n->list[i].bits))
			return true;
	return false;
}

static const struct {
	unsigned char v4[4];
	unsigned bits;
} private_v4[] = {
	{ { 0 }, 8 },
	{ { 10 }, 8 },
	{ { 100, 64 }, 10 },
	{ { 127 }, 8 },
	{ { 169, 254 }, 16 },
	{ { 172, 16 }, 12 },
	{ { 192, 168 }, 16 },
};

static const struct {
	struct addr base;
	unsigned bits;
} private_v6[] = {
	{ { { 0 } }, 127 }, /* :: and ::1 */
	{ { { 0xfc } }, 7 },
	{ { { 0xfe, 0x80 } }, 10 },
};

bool networks_is_private(const struct addr *a)
{
	for (size_t i = 0; i < sizeof private_v6 / sizeof private_v6[0]; i++)
		if (addr_prefix_equal(&private_v6[i].base, a, private_v6[i].bits))
			return true;
	for (size_t i = 0; i < sizeof private_v4 / sizeof private_v4[0]; i++) {
		struct addr base = { { [10] = 0xff, [11] = 0xff } };

		memcpy(base.byte + 12, private_v4[i].v4, 4);
		if (addr_prefix_equal(&base, a, ADDR_V4_BITS + private_v4[i].bits))
			return true;
	}
	return false;
}
