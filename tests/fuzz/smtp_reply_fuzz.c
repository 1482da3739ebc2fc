/* Replies of a server: bounded, printable, and the same in whatever pieces they come. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/smtp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Up to the end of the reply or of the bytes. */
static enum smtp_reply_state feed(
	struct smtp_reply *r, const uint8_t *data, size_t size, bool pieces, size_t *used)
{
	enum smtp_reply_state state = SMTP_REPLY_MORE;

	smtp_reply_init(r);
	*used = 0;
	while (*used < size && state != SMTP_REPLY_WHOLE && state != SMTP_REPLY_BAD) {
		const size_t left = size - *used, piece = pieces ? 1 + (data[*used] & 3) : left;
		const size_t n = piece < left ? piece : left;
		char *exact = malloc(n);
		size_t step;

		if (exact == NULL)
			abort();
		memcpy(exact, data + *used, n);
		state = smtp_reply_feed(r, exact, n, &step);
		free(exact);
		if (step == 0 || step > n)
			abort();
		*used += step;
	}
	return state;
}

static void check_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_reply whole, pieces;
	size_t used, used_in_pieces;
	char memory[300];
	struct str text;
	const enum smtp_reply_state state = feed(&whole, data, size, false, &used);

	if (feed(&pieces, data, size, true, &used_in_pieces) != state)
		abort();
	if (state != SMTP_REPLY_BAD && used != used_in_pieces)
		abort();
	if (whole.code != pieces.code || strcmp(whole.text, pieces.text) != 0 ||
		strcmp(whole.status, pieces.status) != 0)
		abort();
	check_printable(whole.text);
	check_printable(whole.status);
	if (state == SMTP_REPLY_WHOLE && (whole.code < 200 || whole.code > 599))
		abort();
	if (whole.status[0] != '\0' && (unsigned)(whole.status[0] - '0') != whole.code / 100)
		abort();
	str_init(&text, memory, sizeof memory);
	smtp_reply_put(&whole, &text, 200);
	if (text.full || text.len > 200)
		abort();
	return 0;
}
