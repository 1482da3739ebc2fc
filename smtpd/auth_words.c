#include "smtpd/auth_words.h"

#include <string.h>
#include <strings.h>

static bool is(const char *word, size_t n, const char *name)
{
	return n == strlen(name) && strncasecmp(word, name, n) == 0;
}

static void take(struct auth_words *w, const char *word, size_t n)
{
	if (is(word, n, "-") || is(word, n, "off"))
		w->never = true;
	else if (is(word, n, "clear"))
		w->clear = true;
	else if (is(word, n, "require") || is(word, n, "!"))
		w->require = true;
	else if (is(word, n, "plain"))
		w->mechanisms |= AUTH_PLAIN;
	else if (is(word, n, "login"))
		w->mechanisms |= AUTH_LOGIN;
	else if (!is(word, n, "+")) /* s/qmail's word for both */
		w->wrong = true;
}

struct auth_words auth_words_read(const char *text)
{
	static const char separators[] = ", \t";
	struct auth_words w = { .given = text != NULL };

	while (text != NULL && *(text += strspn(text, separators)) != '\0') {
		const size_t n = strcspn(text, separators);

		take(&w, text, n);
		text += n;
	}
	if (w.mechanisms == 0)
		w.mechanisms = AUTH_PLAIN | AUTH_LOGIN;
	return w;
}
