#include "queue/door_answer.h"

#include <string.h>

#include "base/str.h"

void door_answer_set(struct door_answer *a, const char *text)
{
	struct str s;

	a->letter = text[0];
	str_init(&s, a->text, sizeof a->text);
	str_puts(&s, text + 1);
}

void door_answer_take(struct door_answer *a, char letter, const char *text, size_t n)
{
	struct str s;

	a->letter = letter;
	str_init(&s, a->text, sizeof a->text);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	str_put_printable(&s, text, n < sizeof a->text ? n : sizeof a->text - 1);
}

static const struct {
	int code;
	const char *text;
} known[] = {
	{ DOOR_KEPT, "K" },
	{ DOOR_ADDRESS_TOO_LONG, "Denvelope address too long for qq (#5.1.3)" },
	{ 115, "Denvelope address too long for qq (#5.1.3)" },
	{ DOOR_REFUSED, "Dmail server permanently rejected message (#5.3.0)" },
	{ DOOR_MEMORY, "Zqq out of memory (#4.3.0)" },
	{ DOOR_TIMEOUT, "Zqq timeout (#4.3.0)" },
	{ DOOR_WRITE, "Zqq write error or disk full (#4.3.0)" },
	{ DOOR_READ, "Zqq read error (#4.3.0)" },
	{ 55, "Zqq unable to read configuration (#4.3.0)" },
	{ DOOR_CONNECTION, "Zqq trouble making network connection (#4.3.0)" },
	{ DOOR_HOME, "Zqq trouble in home directory (#4.3.0)" },
	{ DOOR_FILES, "Zqq trouble creating files in queue (#4.3.0)" },
	{ 63, "Zqq trouble creating files in queue (#4.3.0)" },
	{ 64, "Zqq trouble creating files in queue (#4.3.0)" },
	{ 65, "Zqq trouble creating files in queue (#4.3.0)" },
	{ 66, "Zqq trouble creating files in queue (#4.3.0)" },
	{ DOOR_LATER, "Zmail server temporarily rejected message (#4.3.0)" },
	{ 72, "Zconnection to mail server timed out (#4.4.1)" },
	{ 73, "Zconnection to mail server rejected (#4.4.1)" },
	{ DOOR_LOST, "Zcommunication with mail server failed (#4.4.2)" },
	{ 81, "Zqq internal bug (#4.3.0)" },
	{ DOOR_FORMAT, "Zqq internal bug (#4.3.0)" },
	{ DOOR_NO_EXEC, "Zunable to exec qq (#4.3.0)" },
};

const char *door_answer_text(int code)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].code == code)
			return known[i].text;
	return code >= 11 && code <= 40 ? "Dqq permanent problem (#5.3.0)"
					: "Zqq temporary problem (#4.3.0)";
}

int door_answer_code(const struct door_answer *a)
{
	if (a->letter == 'K')
		return DOOR_KEPT;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].text[0] == a->letter && strcmp(known[i].text + 1, a->text) == 0)
			return known[i].code;
	return DOOR_CUSTOM;
}
