#include "mail/envelope.h"

#include <string.h>

void envelope_init(struct envelope *e, char *memory, size_t cap)
{
	*e = (struct envelope){ .bytes = memory, .cap = cap };
}

/* Always leaves room for the NUL that finishes. */
static bool put(struct envelope *e, char letter, const char *text, size_t n)
{
	if (n > ENVELOPE_ADDRESS_MAX || n + 3 > e->cap - e->len)
		return false;
	e->bytes[e->len] = letter;
	memcpy(e->bytes + e->len + 1, text, n);
	e->bytes[e->len + 1 + n] = '\0';
	e->len += n + 2;
	return true;
}

bool envelope_start(struct envelope *e, const char *sender)
{
	e->len = 0;
	e->recipients = 0;
	return put(e, 'F', sender, strlen(sender));
}

bool envelope_add(struct envelope *e, const char *recipient)
{
	if (!put(e, 'T', recipient, strlen(recipient)))
		return false;
	e->recipients++;
	return true;
}

bool envelope_note(struct envelope *e, char letter, const char *text, size_t n)
{
	return put(e, letter, text, n);
}

bool envelope_finish(struct envelope *e)
{
	if (e->len == e->cap)
		return false;
	e->bytes[e->len++] = '\0';
	return true;
}

static bool is_note(char letter)
{
	return letter >= 'a' && letter <= 'z';
}

enum envelope_check envelope_check(struct envelope *e, size_t have)
{
	size_t at = 0;

	e->recipients = 0;
	while (at < have) {
		size_t room = have - at - 1;
		const char *end;

		if (at > 0 && e->bytes[at] == '\0') {
			e->len = at + 1;
			return ENVELOPE_WHOLE;
		}
		if (at == 0 ? e->bytes[at] != 'F' : e->bytes[at] != 'T' && !is_note(e->bytes[at]))
			return ENVELOPE_BAD;
		end = memchr(e->bytes + at + 1, '\0', room);
		if (end == NULL)
			return room > ENVELOPE_ADDRESS_MAX ? ENVELOPE_TOO_LONG : ENVELOPE_CUT;
		if ((size_t)(end - e->bytes) - at - 1 > ENVELOPE_ADDRESS_MAX)
			return ENVELOPE_TOO_LONG;
		e->recipients += e->bytes[at] == 'T';
		at = (size_t)(end - e->bytes) + 1;
	}
	return ENVELOPE_CUT;
}

const char *envelope_sender(const struct envelope *e)
{
	return e->bytes + 1;
}

static const char *behind(const char *text)
{
	return text + strlen(text) + 1;
}

const char *envelope_next(const struct envelope *e, const char *recipient)
{
	const char *letter = behind(recipient == NULL ? envelope_sender(e) : recipient);

	while (is_note(*letter))
		letter = behind(letter);
	return *letter == 'T' ? letter + 1 : NULL;
}
