/* Any stored text on its way out: nothing but CR LF ends a line, the end is there once, at the end, and whoever reads
 * it gets the lines back. The first byte of the input says into which pieces the rest is cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/dotline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With every line end as an LF, and one at the end. */
static size_t plain_lines(const char *text, size_t n, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n')
			continue;
		out[len++] = text[i];
		if (text[i] == '\r')
			out[len - 1] = '\n';
	}
	if (len > 0 && out[len - 1] != '\n')
		out[len++] = '\n';
	return len;
}

static void check_line_ends(const char *wire, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (wire[i] == '\r' && (i + 1 == n || wire[i + 1] != '\n'))
			abort();
		if (wire[i] == '\n' && (i == 0 || wire[i - 1] != '\r'))
			abort();
	}
}

/* Pieces as exact as they can be, for the sanitizer. */
static size_t encode(const char *text, size_t n, size_t piece, char *wire, uint64_t *counted)
{
	struct dotline_out d;
	size_t len = 0, made;

	dotline_out_init(&d);
	for (size_t used = 0; used < n;) {
		const size_t take = n - used < piece ? n - used : piece;
		char *exact = malloc(DOTLINE_OUT_ROOM(take));

		if (exact == NULL)
			abort();
		made = dotline_encode(&d, text + used, take, exact);
		memcpy(wire + len, exact, made);
		len += made;
		used += take;
		free(exact);
	}
	len += dotline_encode_end(&d, wire + len);
	*counted = d.size;
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dotline in;
	uint64_t counted;
	size_t len, want_len, got_len;
	char *wire, *want, *got;

	if (size < 1)
		return 0;
	wire = malloc(2 * DOTLINE_OUT_ROOM(size));
	want = malloc(size + 1);
	got = malloc(DOTLINE_ROOM(2 * DOTLINE_OUT_ROOM(size)));
	if (wire == NULL || want == NULL || got == NULL)
		abort();
	len = encode((const char *)data + 1, size - 1, 1 + data[0] % 64, wire, &counted);
	want_len = plain_lines((const char *)data + 1, size - 1, want);
	check_line_ends(wire, len);
	dotline_init(&in, false, true);
	if (dotline_decode(&in, wire, len, got, &got_len) != len || !in.ended || in.fault != DOTLINE_CLEAN)
		abort(); /* it ends before its end, or not at all */
	if (got_len != want_len || memcmp(got, want, got_len) != 0)
		abort();
	for (size_t i = 0; i < want_len; i++)
		counted -= want[i] == '\n' ? 2 : 1;
	if (counted != 0)
		abort();
	free(wire);
	free(want);
	free(got);
	return 0;
}
