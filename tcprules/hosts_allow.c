#include "tcprules/hosts_allow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "tcprules/hosts_client.h"
#include "tcprules/hosts_option.h"

static const char *const blanks = " \t\r\n";
static const char *const separators = ", \t\r\n";

static void *grown(void *array, size_t count, size_t size)
{
	/* one more; doubled whenever the count is a power of two */
	if (count != 0 && (count & (count - 1)) != 0)
		return array;
	array = realloc(array, (count == 0 ? 1 : count * 2) * size);
	if (array == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return array;
}

static char *copied(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return copy;
}

static void say(const char *kind, const struct hosts_line *at, const char *reason, const char *value)
{
	char memory[ERR_LINE];
	struct str shown;

	str_init(&shown, memory, 256);
	str_put_printable(&shown, value, strnlen(value, 255));
	fprintf(stderr, "tcprules: %s: %s%sline %lu: %s (%s)\n", kind, at->file == NULL ? "" : at->file,
		at->file == NULL ? "" : " ", at->number, reason, shown.s);
}

void hosts_allow_refuse(
	struct hosts_allow *h, const struct hosts_line *at, const char *reason, const char *value)
{
	h->refused++;
	say("fatal", at, reason, value);
}

void hosts_allow_init(struct hosts_allow *h, const char *daemon)
{
	memset(h, 0, sizeof *h);
	h->daemon = daemon;
}

void hosts_allow_free(struct hosts_allow *h)
{
	for (size_t i = 0; i < h->lines; i++)
		free(h->line[i].verdict);
	for (size_t i = 0; i < h->patterns; i++)
		free(h->pattern[i].name);
	free(h->line);
	free(h->pattern);
	memset(h, 0, sizeof *h);
}

/* ---- clients -------------------------------------------------------------------------------------- */

static void add_pattern(struct hosts_allow *h, struct hosts_line *l, char *text, unsigned level)
{
	char *shown = copied(text);
	struct hosts_pattern p;
	const char *wrong = hosts_client_parse(text, &p);

	p.level = level;
	if (wrong != NULL)
		hosts_allow_refuse(h, l, wrong, shown);
	else if (p.kind == HOSTS_NEVER)
		say("warning", l, "matches nobody", shown);
	free(shown);
	h->pattern = grown(h->pattern, h->patterns, sizeof p);
	h->pattern[h->patterns++] = p;
	l->count++;
}

static void parse_clients(struct hosts_allow *h, struct hosts_line *l, char *list)
{
	unsigned level = 0;
	char *state, *word;

	l->first = h->patterns;
	for (word = strtok_r(list, separators, &state); word; word = strtok_r(NULL, separators, &state))
		if (strcasecmp(word, "EXCEPT") == 0)
			level++;
		else
			add_pattern(h, l, word, level);
	l->levels = level + 1;
}

/* ---- daemons -------------------------------------------------------------------------------------- */

/* NULL and *matches, or what rules cannot answer: they have one daemon and no address of its own. */
static const char *match_daemon(const struct hosts_allow *h, const char *word, bool *matches)
{
	const char *at = strchr(word + 1, '@');
	const size_t n = at == NULL ? strlen(word) : (size_t)(at - word);
	char name[HOSTS_ALLOW_LINE + 1];

	memcpy(name, word, n);
	name[n] = '\0';
	*matches = strcasecmp(name, "ALL") == 0 || strcasecmp(name, "KNOWN") == 0 ||
		   strcasecmp(name, h->daemon) == 0;
	if (strpbrk(name, "*?@/[") != NULL || name[0] == '.' || name[n - 1] == '.')
		return "this pattern of daemons is not understood: write names";
	if (strspn(name, "0123456789") == n)
		return "a port as a daemon is not understood: write its name";
	return at != NULL && *matches ? "a daemon@address is no rule" : NULL;
}

/* As list EXCEPT list EXCEPT list: an odd number of levels that match, counted from the first. */
static bool match_daemons(struct hosts_allow *h, const struct hosts_line *l, char *list)
{
	bool hit = false, answer = false;
	unsigned depth = 0;
	char *state, *word;

	for (word = strtok_r(list, separators, &state); word; word = strtok_r(NULL, separators, &state)) {
		const char *wrong;
		bool matches = false;

		if (strcasecmp(word, "EXCEPT") == 0) {
			if (!hit)
				return answer;
			depth++;
			hit = false;
			continue;
		}
		wrong = match_daemon(h, word, &matches);
		if (wrong != NULL)
			hosts_allow_refuse(h, l, wrong, word);
		if (matches && !hit) {
			hit = true;
			answer = depth % 2 == 0;
		}
	}
	return answer;
}

/* ---- options -------------------------------------------------------------------------------------- */

static void parse_options(struct hosts_allow *h, struct hosts_line *l, char *text, const char *verdict)
{
	char memory[2 * HOSTS_ALLOW_LINE];
	struct hosts_options o = { .verdict = verdict };

	str_init(&o.out, memory, sizeof memory);
	while (text != NULL) {
		char *next = hosts_option_split(text);
		char *shown = copied(hosts_option_trim(text));
		const char *wrong = hosts_option_parse(&o, text);

		if (wrong != NULL)
			hosts_allow_refuse(h, l, wrong, shown);
		free(shown);
		text = next;
	}
	if (o.out.full)
		hosts_allow_refuse(h, l, "too many variables", "setenv");
	/* who is denied sees no variable */
	if (strcmp(o.verdict, "deny") == 0)
		str_reset(&o.out);
	if (asprintf(&l->verdict, "%s%s", o.verdict, o.out.s) == -1)
		die(EXIT_TEMPORARY, "out of memory");
}

/* ---- lines ---------------------------------------------------------------------------------------- */

/* Like strchr for a colon outside of brackets. */
static char *find_colon(char *text)
{
	bool inside = false;

	for (; *text != '\0'; text++) {
		if (*text == '[')
			inside = true;
		else if (*text == ']')
			inside = false;
		else if (*text == ':' && !inside)
			return text;
	}
	return NULL;
}

static void parse_line(struct hosts_allow *h, struct hosts_line *l, char *text, const char *verdict)
{
	char *clients, *options;

	if (text[0] == '#' || text[strspn(text, blanks)] == '\0')
		return;
	clients = find_colon(text);
	if (clients == NULL) {
		if (text[strspn(text, blanks)] != '#')
			hosts_allow_refuse(h, l, "there is no colon, and libwrap skips the line",
				hosts_option_trim(text));
		return;
	}
	*clients++ = '\0';
	if (!match_daemons(h, l, text))
		return;
	options = find_colon(clients);
	if (options != NULL)
		*options++ = '\0';
	parse_clients(h, l, clients);
	parse_options(h, l, options, verdict);
	h->line = grown(h->line, h->lines, sizeof *l);
	h->line[h->lines++] = *l;
}

/* One line with those that a backslash at its end joins to it. False at the end of the file. */
static bool read_line(struct hosts_allow *h, FILE *from, struct hosts_line *l, struct str *text)
{
	char *part = NULL;
	size_t room = 0;
	ssize_t n;
	bool more = true, any = false;

	str_reset(text);
	while (more && (n = getline(&part, &room, from)) != -1) {
		any = true;
		l->number++;
		more = n >= 2 && part[n - 2] == '\\' && part[n - 1] == '\n';
		if (part[n - 1] != '\n')
			hosts_allow_refuse(h, l, "there is no newline, and libwrap skips the line", part);
		if (memchr(part, '\0', (size_t)n) != NULL)
			hosts_allow_refuse(h, l, "there is a NUL byte in the line", part);
		str_put(text, part, (size_t)(more ? n - 2 : n));
	}
	free(part);
	if (text->full) {
		hosts_allow_refuse(h, l, "the line is too long for libwrap", text->s);
		str_reset(text);
	}
	return any;
}

int hosts_allow_read(struct hosts_allow *h, FILE *from, const char *file, const char *verdict)
{
	char memory[HOSTS_ALLOW_LINE + 1];
	struct str text;
	unsigned long number = 0;

	str_init(&text, memory, sizeof memory);
	for (;;) {
		struct hosts_line l = { .file = file, .number = number };

		if (!read_line(h, from, &l, &text))
			break;
		number = l.number;
		parse_line(h, &l, text.s, verdict);
	}
	return ferror(from) ? -1 : 0;
}
