#include "mail/envelope.h"

#include <string.h>
#include <strings.h>

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

/* ---- changes ------------------------------------------------------------------------------------------- */

bool envelope_set_sender(struct envelope *e, const char *sender)
{
	const size_t old = strlen(e->bytes + 1), n = strlen(sender);

	if (n > ENVELOPE_ADDRESS_MAX || (n > old && n - old + 1 > e->cap - e->len))
		return false;
	memmove(e->bytes + 1 + n, e->bytes + 1 + old, e->len - 1 - old);
	memcpy(e->bytes + 1, sender, n);
	e->len = e->len - old + n;
	return true;
}

static bool is_same(const char *a, const char *b)
{
	const char *at = strrchr(a, '@');
	const size_t local = at == NULL ? strlen(a) : (size_t)(at - a);

	return strncmp(a, b, local) == 0 && strcasecmp(a + local, b + local) == 0;
}

/* Where the recipient begins, or len. */
static size_t find(const struct envelope *e, const char *recipient)
{
	size_t at = 0;

	while (at < e->len && (e->bytes[at] != 'T' || !is_same(recipient, e->bytes + at + 1)))
		at += strlen(e->bytes + at) + 1;
	return at;
}

bool envelope_has(const struct envelope *e, const char *recipient)
{
	return find(e, recipient) < e->len;
}

void envelope_remove(struct envelope *e, const char *recipient)
{
	size_t at;

	while ((at = find(e, recipient)) < e->len) {
		size_t end = at + strlen(e->bytes + at) + 1;

		while (end < e->len && is_note(e->bytes[end]))
			end += strlen(e->bytes + end) + 1;
		memmove(e->bytes + at, e->bytes + end, e->len - end);
		e->len -= end - at;
		e->recipients--;
	}
}

/* ---- from elsewhere ------------------------------------------------------------------------------------ */

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

const char *envelope_find_note(const char *address, char letter)
{
	const char *note = behind(address);

	while (is_note(*note) && *note != letter)
		note = behind(note);
	return *note == letter ? note + 1 : NULL;
}
