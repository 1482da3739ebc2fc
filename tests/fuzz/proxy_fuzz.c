/* PROXY headers: the same answer from every beginning on, a length inside the bytes, ends that can be written
 * and read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As version 1, which only takes what is canonical. */
static void write_and_read(const struct ends *e)
{
	char line[PROXY_LINE + 1], remote[ADDR_TEXT], local[ADDR_TEXT];
	struct proxy_header h;
	int n;

	addr_format(&e->remote, remote);
	addr_format(&e->local, local);
	if (addr_is_v4(&e->remote) != addr_is_v4(&e->local))
		return; /* one of two IPv6 addresses was a mapped one: version 1 has no word for both */
	n = snprintf(line, sizeof line, "PROXY TCP%c %s %s %u %u\r\n", addr_is_v4(&e->remote) ? '4' : '6',
		remote, local, e->remote_port, e->local_port);
	if (proxy_parse((const unsigned char *)line, (size_t)n, &h) != PROXY_DONE || h.own ||
		memcmp(&h.ends, e, sizeof *e) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, h;
	const enum proxy answer = proxy_parse(data, size, &whole);

	if (answer == PROXY_DONE && (whole.len > size || whole.len > PROXY_MAX))
		abort();
	if (answer == PROXY_BAD && whole.fault == NULL)
		abort();
	if (answer == PROXY_MORE && size >= PROXY_MAX)
		abort();
	for (size_t i = 0; i < size && i <= PROXY_MAX; i++) {
		const enum proxy early = proxy_parse(data, i, &h);

		if (early == PROXY_MORE)
			continue;
		if (early != answer || h.len != whole.len || (early == PROXY_DONE && i < whole.len) ||
			memcmp(&h.ends, &whole.ends, sizeof h.ends) != 0)
			abort();
		break; /* what is decided stays: the unit test tries all beginnings */
	}
	if (answer == PROXY_DONE && !whole.own)
		write_and_read(&whole.ends);
	return 0;
}
