/* What a milter answers: options and packets. Texts end within their packet, and nothing is a field that would
 * be two. What it makes of a header is still a header. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/fields.h"
#include "mail/milter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fields fields;

static const char header[] = "Received: us\nReceived: them\nSubject: a\n b\nX-A: c\n\n";

static void check_text(const char *packet, size_t n, const char *text)
{
	if (text[0] == '\0')
		return;
	if (text < packet || text >= packet + n || memchr(text, '\0', (size_t)(packet + n - text)) == NULL)
		abort();
}

static void edit(const struct milter_answer_of *a, bool leading)
{
	switch (a->what) {
	case MILTER_ADD_HEADER:
		fields_add(&fields, a->name, a->value, leading);
		break;
	case MILTER_INSERT_HEADER:
		fields_insert(&fields, a->number, a->name, a->value, leading);
		break;
	case MILTER_CHANGE_HEADER:
		fields_change(&fields, a->number, a->name, a->value, leading);
		break;
	default:
		break;
	}
}

static void check_answer(const char *packet, size_t n, bool leading)
{
	struct milter_answer_of a;
	char text[100];

	if (milter_parse(packet, n, &a) != NULL)
		return;
	check_text(packet, n, a.name);
	check_text(packet, n, a.value);
	if (a.body_len > 0 && (a.body < packet || a.body + a.body_len > packet + n))
		abort();
	if (a.what == MILTER_REPLY && (a.number < 400 || a.number > 599))
		abort();
	if (a.what == MILTER_REPLY && milter_reply_text(&a, text, sizeof text) > sizeof text)
		abort();
	edit(&a, leading);
}

/* As many fields as the list says, read again. */
static void check_fields(void)
{
	static struct fields again;
	static char text[sizeof header + FIELDS_ROOM + 1];
	size_t n = 0;

	if (fields.full)
		return;
	for (size_t i = 0; i < fields.count; i++) {
		memcpy(text + n, fields.list[i].text, fields.list[i].len);
		n += fields.list[i].len;
	}
	text[n] = '\n';
	if (fields_parse(&again, text, n + 1) != n || again.count != fields.count || !again.separated)
		abort();
}

static void check_options(const char *p, size_t n)
{
	struct milter_options offer, agreed;
	const char *at, *name;
	size_t len;

	milter_offer(&offer, 6, MILTER_CHUNK);
	if (milter_agree(&offer, p, n, &agreed) != NULL)
		return;
	if ((agreed.steps & ~offer.steps) != 0 || agreed.version > 6 ||
		milter_chunk(&agreed) != MILTER_CHUNK)
		abort();
	for (int i = 0; i < MILTER_STAGES; i++) {
		at = agreed.symbols[i];
		while (milter_next_symbol(&at, &name, &len))
			if (len == 0 || strchr(" {},", name[0]) != NULL)
				abort();
	}
}

/* The first byte chooses; the rest is what came from the milter, as it came. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact;
	size_t at = 0, len;

	if (size < 1)
		return 0;
	exact = malloc(size); /* a byte too far is found */
	if (exact == NULL)
		return 0;
	memcpy(exact, data + 1, size - 1);
	if ((data[0] & 2) != 0)
		check_options(exact, size - 1);
	(void)fields_parse(&fields, header, sizeof header - 1);
	while (milter_frame(exact + at, size - 1 - at, &len) == MILTER_FRAME_WHOLE) {
		check_answer(exact + at + 4, len, (data[0] & 1) != 0);
		at += len + 4;
	}
	check_fields();
	free(exact);
	return 0;
}
