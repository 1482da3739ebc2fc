/* policy_listed.c - the lists of addresses that are refused: badmailfrom and badrcptto, lines with patterns. */
#include <string.h>

#include "smtpd/policy.h"

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* '*' stands for any bytes, '?' for one. Goes back to the last '*' only, so it is never worse than n * m. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *tried = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			tried = text;
		} else if (*pattern == '?' || lower(*pattern) == lower(*text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++tried;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* The hosts below a domain, not itself: ".heaven.example" and "@.heaven.example". */
static bool is_below(const char *suffix, const char *domain)
{
	const size_t n = strlen(suffix), len = strlen(domain);

	return len > n && matches(suffix, domain + (len - n));
}

static bool line_matches(const char *line, const struct address *a)
{
	if (line[0] == '.' || (line[0] == '@' && line[1] == '.'))
		return is_below(line + (line[0] == '@'), address_domain(a));
	if (line[0] == '@')
		return a->at < a->len && matches(line, a->text + a->at);
	return matches(line, a->text);
}

/* A line behind '!' is an exception from all others, wherever it stands. Bounces have no sender and are never
 * listed. */
bool policy_listed(const struct control_list *list, const struct address *a)
{
	bool listed = false;

	for (size_t at = 0; a->len > 0 && at < list->bytes; at += strlen(list->items + at) + 1) {
		const char *line = list->items + at;

		if (line[0] == '!' && line_matches(line + 1, a))
			return false;
		listed = listed || line_matches(line, a);
	}
	return listed;
}
