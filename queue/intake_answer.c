/* What becomes of a message that was handed in, and the words for it. */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "queue/intake_inside.h"

enum verdict intake_verdict_of(int error)
{
	switch (error) {
	case ENOMEM:
		return VERDICT_MEMORY;
	case ENOSPC:
	case EDQUOT:
		return VERDICT_FULL;
	case EMSGSIZE:
	case EFBIG:
		return VERDICT_LARGE;
	default:
		return VERDICT_WRITE;
	}
}

enum verdict intake_verdict_of_envelope(struct envelope *e, size_t have)
{
	switch (envelope_check(e, have)) {
	case ENVELOPE_WHOLE:
		return e->len == have ? VERDICT_KEPT : VERDICT_FORMAT;
	case ENVELOPE_CUT:
		return VERDICT_CUT;
	case ENVELOPE_TOO_LONG:
		return VERDICT_ADDRESS;
	case ENVELOPE_BAD:
		break;
	}
	return VERDICT_FORMAT;
}

/* The words of qmail.c where it has some. */
static const char *const texts[] = {
	[VERDICT_KEPT] = "Kok ",
	[VERDICT_MEMORY] = "Zqq out of memory (#4.3.0)",
	[VERDICT_FULL] = "Zqueue is full (#4.3.1)",
	[VERDICT_WRITE] = "Zqq write error or disk full (#4.3.0)",
	[VERDICT_LARGE] = "Dmessage is larger than this queue takes (#5.3.4)",
	[VERDICT_CUT] = "Zqq read error (#4.3.0)",
	[VERDICT_FORMAT] = "Zqq internal bug (#4.3.0)",
	[VERDICT_ADDRESS] = "Denvelope address too long for qq (#5.1.3)",
	[VERDICT_FRAME] = "Zthis is not the protocol of the queue (#4.3.0)",
	[VERDICT_CONNECTIONS] = "Ztoo many connections to the queue (#4.3.2)",
	[VERDICT_USER] = "Zthis user may not hand in mail (#4.7.1)",
};

size_t intake_answer_of(const struct handed *h, char to[INTAKE_ANSWER])
{
	char memory[INTAKE_ANSWER - DOOR_WIRE_HEAD - 1];
	struct str text;
	size_t n;

	str_init(&text, memory, sizeof memory);
	str_puts(&text, texts[h->verdict]);
	if (h->verdict == VERDICT_KEPT) {
		str_putu(&text, h->when);
		str_puts(&text, " qp ");
		str_putu(&text, h->id);
	}
	n = door_wire_head(to, text.s[0], text.len - 1);
	memcpy(to + n, text.s + 1, text.len - 1);
	n += text.len - 1;
	to[n++] = ',';
	return n;
}
