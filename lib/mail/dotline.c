#include "mail/dotline.h"

#include <string.h>

void dotline_init(struct dotline *d)
{
	*d = (struct dotline){ .at = LINE_START };
}

static void blame(struct dotline *d, enum dotline_fault fault, uint64_t position)
{
	if (d->fault != DOTLINE_CLEAN)
		return;
	d->fault = fault;
	d->fault_at = position;
}

/* The rest of a line, from inside it. Returns the bytes read. */
static size_t decode_text(struct dotline *d, const char *in, size_t n, char *out, size_t *out_len)
{
	const char *lf = memchr(in, '\n', n);
	size_t text = lf != NULL ? (size_t)(lf - in) : n;
	const char *cr = text > 0 ? memchr(in, '\r', text) : NULL;
	bool ends_in_cr = cr != NULL && in[text - 1] == '\r';

	if (cr != NULL && cr != in + text - 1)
		blame(d, DOTLINE_BARE_CR, d->wire_bytes + (uint64_t)(cr - in));
	if (ends_in_cr)
		text--;
	memcpy(out, in, text);
	*out_len = text;
	if (lf == NULL) {
		d->at = ends_in_cr ? LINE_CR : LINE_TEXT;
		return n;
	}
	out[(*out_len)++] = '\n';
	if (ends_in_cr)
		d->at = LINE_START;
	else /* no line ends here: the next dot is text */
		blame(d, DOTLINE_BARE_LF, d->wire_bytes + text);
	return (size_t)(lf - in) + 1;
}

/* One step from a state that a single byte decides. Returns the bytes read, 0 or 1. */
static size_t decode_byte(struct dotline *d, char c, char *out, size_t *out_len)
{
	*out_len = 0;
	switch (d->at) {
	case LINE_START:
		d->at = c == '.' ? LINE_DOT : LINE_TEXT;
		return c == '.';
	case LINE_DOT: /* the dot is dropped, whatever follows */
		d->at = c == '\r' ? LINE_DOT_CR : LINE_TEXT;
		return c == '\r';
	case LINE_DOT_CR:
		if (c == '\n') {
			d->ended = true;
			return 1;
		}
		break;
	default: /* LINE_CR */
		if (c == '\n') {
			out[(*out_len)++] = '\n';
			d->at = LINE_START;
			return 1;
		}
	}
	blame(d, DOTLINE_BARE_CR, d->wire_bytes - 1);
	out[(*out_len)++] = '\r';
	d->at = LINE_TEXT;
	return 0;
}

size_t dotline_decode(struct dotline *d, const char *in, size_t n, char *out, size_t *out_len)
{
	size_t used = 0;

	*out_len = 0;
	while (used < n && !d->ended) {
		size_t made, step;

		if (d->at == LINE_TEXT)
			step = decode_text(d, in + used, n - used, out + *out_len, &made);
		else
			step = decode_byte(d, in[used], out + *out_len, &made);
		used += step;
		d->wire_bytes += step;
		*out_len += made;
	}
	return used;
}
