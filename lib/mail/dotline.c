#include "mail/dotline.h"

#include <string.h>

void dotline_init(struct dotline *d, bool fix, bool dots)
{
	*d = (struct dotline){ .at = LINE_START, .fix = fix, .dots = dots };
}

static void blame(struct dotline *d, enum dotline_fault fault, uint64_t position)
{
	if (d->fault != DOTLINE_CLEAN)
		return;
	d->fault = fault;
	d->fault_at = position;
}

/* A vector of the compiler's own, for any processor: memchr and memcpy of a small libc take a line of text
 * in words and cost four times as much. */
typedef unsigned char block __attribute__((vector_size(16))); /* no struct: a type that C has no name for */

/* Copies up to the first CR or LF. Returns how many bytes that were; never writes behind out + n. */
static size_t copy_plain(const char *in, size_t n, char *out)
{
	size_t i = 0;

	for (; n - i >= sizeof(block); i += sizeof(block)) {
		block b, hit;
		uint64_t half[2];

		memcpy(&b, in + i, sizeof b);
		memcpy(out + i, &b, sizeof b); /* too much, if it holds a hit: that is written over */
		hit = (block)(b == '\n') | (block)(b == '\r');
		memcpy(half, &hit, sizeof half);
		if ((half[0] | half[1]) != 0)
			break;
	}
	for (; i < n && in[i] != '\n' && in[i] != '\r'; i++)
		out[i] = in[i];
	return i;
}

/* From inside a line, up to what needs more than a look at the next three bytes: a line that begins with a
 * dot, a bare CR or LF, the end of the piece. Returns the bytes read. */
static size_t decode_text(struct dotline *d, const char *in, size_t n, char *out, size_t *out_len)
{
	size_t used = 0, len = 0;

	for (;;) {
		const size_t text = copy_plain(in + used, n - used, out + len);

		used += text;
		len += text;
		if (n - used < 3 || in[used] != '\r' || in[used + 1] != '\n' || in[used + 2] == '.')
			break;
		out[len++] = '\n';
		used += 2;
	}
	if (used < n && in[used] == '\r') {
		d->at = LINE_CR;
		used++;
	} else if (used < n) { /* no line ends here: the next dot is text, and in no case the end */
		blame(d, DOTLINE_BARE_LF, d->wire_bytes + used);
		out[len++] = '\n';
		used++;
		d->at = d->fix ? LINE_FIXED : LINE_TEXT;
	}
	*out_len = len;
	return used;
}

/* One step from a state that a single byte decides. Returns the bytes read, 0 or 1. */
static size_t decode_byte(struct dotline *d, char c, char *out, size_t *out_len)
{
	*out_len = 0;
	switch (d->at) {
	case LINE_START:
		d->at = c == '.' && d->dots ? LINE_DOT : LINE_TEXT;
		return d->at == LINE_DOT;
	case LINE_DOT: /* the dot is dropped, whatever follows */
		d->at = c == '\r' ? LINE_DOT_CR : LINE_TEXT;
		return c == '\r';
	case LINE_DOT_CR:
		if (c == '\n') {
			d->ended = true;
			return 1;
		}
		break;
	case LINE_FIXED:
		d->at = LINE_TEXT;
		return c == '.' && d->dots;
	default: /* LINE_CR */
		if (c == '\n') {
			out[(*out_len)++] = '\n';
			d->at = LINE_START;
			return 1;
		}
	}
	blame(d, DOTLINE_BARE_CR, d->wire_bytes - 1);
	out[(*out_len)++] = d->fix ? '\n' : '\r';
	d->at = d->fix ? LINE_FIXED : LINE_TEXT;
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

void dotline_finish(struct dotline *d, char *out, size_t *out_len)
{
	*out_len = 0;
	if (d->at != LINE_CR)
		return;
	blame(d, DOTLINE_BARE_CR, d->wire_bytes - 1);
	out[(*out_len)++] = d->fix ? '\n' : '\r';
	d->at = LINE_TEXT;
}

/* ---- going out ----------------------------------------------------------------------------------------- */

void dotline_out_init(struct dotline_out *d)
{
	*d = (struct dotline_out){ .at = OUT_START };
}

static size_t put_line_end(struct dotline_out *d, char *out)
{
	d->at = OUT_START;
	d->size += 2;
	memcpy(out, "\r\n", 2);
	return 2;
}

/* From inside a line, through its end if that is there. Returns the bytes read. */
static size_t encode_text(struct dotline_out *d, const char *in, size_t n, char *out, size_t *len)
{
	const size_t text = copy_plain(in, n, out + *len);

	*len += text;
	d->size += text;
	if (text == n)
		return n;
	if (in[text] == '\r')
		d->at = OUT_CR; /* a line end, whatever follows; an LF that follows belongs to it */
	else
		*len += put_line_end(d, out + *len);
	return text + 1;
}

size_t dotline_encode(struct dotline_out *d, const char *in, size_t n, char *out)
{
	size_t used = 0, len = 0;

	while (used < n)
		switch (d->at) {
		case OUT_START:
			if (in[used] == '.')
				out[len++] = '.';
			d->at = OUT_TEXT;
			break;
		case OUT_TEXT:
			used += encode_text(d, in + used, n - used, out, &len);
			break;
		case OUT_CR:
			len += put_line_end(d, out + len);
			used += in[used] == '\n';
			break;
		}
	return len;
}

size_t dotline_encode_end(struct dotline_out *d, char *out)
{
	const size_t len = d->at == OUT_START ? 0 : put_line_end(d, out);

	memcpy(out + len, ".\r\n", 3);
	return len + 3;
}
