#include "net/tls_wire.h"

#include <string.h>

void tls_order_write(const struct tls_order *o, char packet[TLS_ORDER])
{
	const int32_t program = o->program;

	packet[0] = (char)o->mode;
	memcpy(packet + 1, &program, sizeof program);
}

const char *tls_order_read(const char *packet, size_t n, size_t descriptors, struct tls_order *o)
{
	int32_t program;

	if (n != TLS_ORDER)
		return "is not as long as an order";
	if (descriptors != TLS_DESCRIPTORS)
		return "does not carry three descriptors";
	if (packet[0] != TLS_START && packet[0] != TLS_WRAP)
		return "is of no known kind";
	memcpy(&program, packet + 1, sizeof program);
	if (program <= 0)
		return "names no process";
	*o = (struct tls_order){ .mode = (enum tls_mode)packet[0], .program = program };
	return NULL;
}

/* Where a name of so many bytes stands in a list of names, each behind a byte of its length; n: nowhere. */
static size_t find(const unsigned char *offered, size_t n, const char *name, size_t name_bytes)
{
	for (size_t at = 0; at < n;) {
		const size_t bytes = offered[at];

		if (bytes == 0 || bytes > n - at - 1)
			return n;
		if (bytes == name_bytes && memcmp(offered + at + 1, name, bytes) == 0)
			return at + 1;
		at += 1 + bytes;
	}
	return n;
}

size_t tls_alpn_choose(const unsigned char *offered, size_t n, const char *list, size_t *at)
{
	while (*list != '\0') {
		const size_t bytes = strcspn(list, ",");

		*at = bytes == 0 ? n : find(offered, n, list, bytes);
		if (*at < n)
			return bytes;
		list += bytes + (list[bytes] == ',');
	}
	return 0;
}
