/* The text of DATA against the plainest machine that follows RFC 5321, a byte at a time; the first byte
 * of the input says into which pieces the rest is cut, and whether bare newlines are put right. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/dotline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct plain {
	char *text;
	size_t len;
	size_t used;
	bool ended;
	bool clean;
};

static void plain_decode(struct plain *p, const char *wire, size_t n, bool fix)
{
	bool line_start = true, fixed = false;
	size_t i = 0;

	p->clean = true;
	while (i < n && !p->ended) {
		bool crlf = wire[i] == '\r' && i + 1 < n && wire[i + 1] == '\n';
		const bool bare = !crlf && (wire[i] == '\r' || wire[i] == '\n');

		if (fixed && wire[i] == '.') {
			i++;
			fixed = false;
			continue;
		}
		fixed = false;
		if (line_start && wire[i] == '.') {
			p->ended = i + 2 < n && wire[i + 1] == '\r' && wire[i + 2] == '\n';
			i += p->ended ? 3 : 1;
			line_start = false;
			continue;
		}
		if (crlf) {
			p->text[p->len++] = '\n';
			i += 2;
			line_start = true;
			continue;
		}
		if (wire[i] == '\r' && i + 1 == n)
			break; /* withheld: it may be half of a line end */
		if (bare)
			p->clean = false;
		fixed = bare && fix;
		p->text[p->len++] = fixed ? '\n' : wire[i];
		i++;
		line_start = false;
	}
	p->used = i;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plain want = { .len = 0 };
	struct dotline d;
	const char *wire;
	size_t piece, used = 0, made = 0;
	bool fix;
	char *text;

	if (size < 2)
		return 0;
	piece = 1 + data[0] % 64;
	fix = data[0] >= 128;
	wire = (const char *)data + 1;
	size--;
	text = malloc(DOTLINE_ROOM(size));
	want.text = malloc(size);
	if (text == NULL || want.text == NULL)
		abort();
	plain_decode(&want, wire, size, fix);
	dotline_init(&d, fix, true);
	while (used < size && !d.ended) {
		size_t n = size - used < piece ? size - used : piece, out;
		char *exact = malloc(DOTLINE_ROOM(n));
		size_t step;

		if (exact == NULL)
			abort();
		step = dotline_decode(&d, wire + used, n, exact, &out);
		if (step > n || out > DOTLINE_ROOM(n))
			abort();
		memcpy(text + made, exact, out);
		made += out;
		used += step;
		free(exact);
	}
	if (d.ended != want.ended || (d.fault == DOTLINE_CLEAN) != want.clean)
		abort();
	if (made != want.len || memcmp(text, want.text, made) != 0)
		abort();
	if (d.ended && used != want.used)
		abort();
	free(text);
	free(want.text);
	return 0;
}
