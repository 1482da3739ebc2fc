#include "smtpd/policy_said.h"

#include <string.h>

#include "base/str.h"

enum { WORDS_MAX = 460 }; /* and the status behind them, in a line of 512 bytes */

struct verdict {
	unsigned low, high; /* codes that are allowed */
	unsigned code;      /* else */
	const char *status;
	const char *words;
};

static const struct verdict refused = { 500, 599, 550, "5.7.1", "sorry, refused by policy" };
static const struct verdict refused_first = { 500, 599, 554, "5.7.1", "sorry, refused by policy" };
static const struct verdict later = { 400, 499, 451, "4.7.1", "sorry, try again later" };
static const struct verdict later_first = { 400, 499, 421, "4.7.1", "sorry, try again later" };
static const struct verdict closed = { 500, 599, 554, "5.7.1", "sorry, refused by policy" };

/* Of a session without a command yet there is nothing to refuse for now: it ends (421). */
static const struct verdict *verdict_of(enum policy_stage stage, const struct policy_answer *a)
{
	if (a->action == POLICY_DROP)
		return a->code / 100 == 4 || (a->code == 0 && a->status[0] == '4') ? &later_first : &closed;
	if (a->action == POLICY_DEFER)
		return stage == POLICY_CONNECT ? &later_first : &later;
	return stage == POLICY_CONNECT ? &refused_first : &refused;
}

/* The class of what it says is that of its action, whatever it says. */
bool policy_said_set(
	struct policy_said *said, const char *by, enum policy_stage stage, const struct policy_answer *a)
{
	const struct verdict *v = verdict_of(stage, a);
	const bool allowed = a->code >= v->low && a->code <= v->high;
	struct str status, words;
	const char *text;

	said->by = by;
	said->code = allowed ? (unsigned)a->code : v->code;
	str_init(&status, said->status, sizeof said->status);
	str_puts(&status, a->status[0] == v->status[0] ? a->status : v->status);
	str_init(&words, said->words, sizeof said->words);
	text = a->text[0] != '\0' ? a->text : v->words;
	str_put(&words, text, strnlen(text, WORDS_MAX));
	if (strstr(words.s, "(#") == NULL) {
		str_puts(&words, " (#");
		str_puts(&words, said->status);
		str_putc(&words, ')');
	}
	return a->action == POLICY_DROP || said->code == 421;
}
