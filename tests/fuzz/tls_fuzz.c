/* What the helper of TLS parses by itself: orders of tcpserver, the names that a client offers by ALPN, and the file
 * of ticket keys. The first byte of the input says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "net/tls_wire.h"
#include "tcpserver/tls_tickets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An access behind the end shows. */
static char *exactly(const uint8_t *data, size_t n, size_t more)
{
	char *p = calloc(1, n + more > 0 ? n + more : 1);

	if (p == NULL)
		abort();
	memcpy(p, data, n);
	return p;
}

/* What is taken makes the same bytes again. */
static void order(const char *packet, size_t n, size_t descriptors)
{
	char again[TLS_ORDER];
	struct tls_order o;

	if (tls_order_read(packet, n, descriptors, &o) != NULL)
		return;
	tls_order_write(&o, again);
	if (n != TLS_ORDER || descriptors != TLS_DESCRIPTORS || memcmp(again, packet, n) != 0)
		abort();
}

static void protocols(const char *offered, size_t n)
{
	static const char list[] = "smtp,,h2";
	size_t at = 0;
	const size_t bytes = tls_alpn_choose((const unsigned char *)offered, n, list, &at);

	if (bytes == 0)
		return;
	if (at < 1 || at + bytes > n || (unsigned char)offered[at - 1] != bytes ||
		(strncmp(offered + at, "smtp", bytes) != 0 && strncmp(offered + at, "h2", bytes) != 0))
		abort();
}

/* A file is read exactly when it is one, and then says the same again but for zeros in front of a second. */
static void tickets(const char *text)
{
	static struct tls_tickets t, second;
	char memory[TICKETS_BYTES];
	struct str s;

	t.count = 0;
	if (!tls_tickets_parse(&t, text)) {
		if (t.count != 0)
			abort();
		return;
	}
	str_init(&s, memory, sizeof memory);
	tls_tickets_format(&t, &s);
	if (s.full || t.count < 1 || t.count > TLS_TICKETS || !tls_tickets_parse(&second, s.s) ||
		second.count != t.count || memcmp(second.key, t.key, t.count * sizeof t.key[0]) != 0 ||
		memcmp(second.made, t.made, t.count * sizeof t.made[0]) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *p;

	if (size == 0)
		return 0;
	p = exactly(data + 1, size - 1, data[0] % 3 == 2);
	if (data[0] % 3 == 0)
		order(p, size - 1, data[0] / 3);
	else if (data[0] % 3 == 1)
		protocols(p, size - 1);
	else
		tickets(p);
	free(p);
	return 0;
}
