#include "smtpd/policy_line.h"

#include <string.h>
#include <sys/un.h>

#include "base/num.h"

static const char unix_prefix[] = "unix:";

static const char *parse_stages(struct policy_line *l, char *list)
{
	char *rest = NULL;

	for (char *word = strtok_r(list, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
		const enum policy_stage stage = policy_stage_find(word);

		if (stage == POLICY_OTHER || stage == POLICY_RESET || stage == POLICY_CLOSE)
			return "STAGES is a list of connect, helo, mail, rcpt, data, text and end, with "
			       "commas between";
		l->stages |= POLICY_STAGE_BIT(stage);
	}
	if (l->stages & POLICY_STAGE_BIT(POLICY_TEXT))
		l->stages |= POLICY_STAGE_BIT(POLICY_END);
	return NULL;
}

static const char *parse_fail(struct policy_line *l, const char *word)
{
	l->accepts = strcmp(word, "accept") == 0;
	return l->accepts || strcmp(word, "defer") == 0 ? NULL : "FAIL is defer or accept";
}

static const char *parse_seconds(struct policy_line *l, const char *word)
{
	unsigned long s;

	if (num_parse(word, 1, POLICY_SECONDS, &s) != NULL)
		return "SECONDS is a number from 1 to 600";
	l->timeout_ms = (int)s * 1000;
	return NULL;
}

static const char *parse_where(struct policy_line *l)
{
	const char *slash;
	const size_t n = sizeof unix_prefix - 1;

	l->name = l->words[0];
	if (strncmp(l->name, unix_prefix, n) != 0) {
		slash = strrchr(l->name, '/');
		l->name = slash != NULL ? slash + 1 : l->name;
		return NULL;
	}
	l->path = l->name + n;
	if (l->path[0] == '\0' || strlen(l->path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		return "unix: is followed by a path of 107 bytes at most";
	return l->words[1] == NULL ? NULL : "nothing stands behind unix:PATH";
}

static const char *split_words(struct policy_line *l, char *rest)
{
	char *save = NULL;
	size_t count = 0;

	for (char *word = strtok_r(rest, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save)) {
		if (count == POLICY_WORDS)
			return "the command has more than 32 words: put it into a script";
		l->words[count++] = word;
	}
	l->words[count] = NULL;
	return NULL;
}

const char *policy_line_parse(struct policy_line *l, char *text)
{
	char *rest = NULL, *stages = strtok_r(text, " \t", &rest);
	char *fail = stages != NULL ? strtok_r(NULL, " \t", &rest) : NULL;
	char *seconds = fail != NULL ? strtok_r(NULL, " \t", &rest) : NULL;
	const char *wrong;

	*l = (struct policy_line){ .stages = 0 };
	if (seconds == NULL)
		return "a line is STAGES FAIL SECONDS WHERE";
	if ((wrong = parse_stages(l, stages)) != NULL || (wrong = parse_fail(l, fail)) != NULL ||
		(wrong = parse_seconds(l, seconds)) != NULL || (wrong = split_words(l, rest)) != NULL)
		return wrong;
	if (l->words[0] == NULL)
		return "WHERE is missing: unix:PATH, or a command and its arguments";
	return parse_where(l);
}
