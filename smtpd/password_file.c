#include "smtpd/password_file.h"

#include <stdbool.h>
#include <string.h>

enum { USER, HASH, HOME = 5, SHELL = 6, FIELDS = 7 };

/* As in passwd(5); what is missing is NULL, what comes behind the last is let go. */
static void split(char *line, char *fields[FIELDS])
{
	for (int i = 0; i < FIELDS; i++)
		fields[i] = line == NULL ? NULL : strsep(&line, ":");
}

static bool has_blank_or_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((*text >= 0 && *text <= ' ') || *text == 0x7f)
			return true;
	return false;
}

static const char *judge(char *fields[FIELDS])
{
	if (fields[HASH] == NULL)
		return "no colon: write user:HASH";
	if (fields[USER][0] == '\0')
		return "no user in front of the colon";
	if (has_blank_or_control(fields[USER]))
		return "a blank or control byte in the user";
	if (fields[HASH][0] == '\0')
		return "no hash behind the colon: write * for a user who may not";
	return has_blank_or_control(fields[HASH]) ? "a blank or control byte in the hash" : NULL;
}

static const char *filled(const char *field)
{
	return field == NULL || field[0] == '\0' ? NULL : field;
}

bool password_file_locked(const char *hash)
{
	return hash[0] == '*' || hash[0] == '!';
}

static const char *take(struct password_entry *found, char *fields[FIELDS], const char *user, size_t number)
{
	if (found->decoy == NULL && !password_file_locked(fields[HASH]))
		found->decoy = fields[HASH];
	if (strcmp(fields[USER], user) != 0)
		return NULL;
	if (found->hash != NULL)
		return "the same user a second time";
	found->hash = fields[HASH];
	found->home = filled(fields[HOME]);
	found->shell = filled(fields[SHELL]);
	found->line = number;
	return NULL;
}

const char *password_file_find(char *text, const char *user, struct password_entry *found)
{
	char *fields[FIELDS], *line;
	const char *wrong = NULL;

	*found = (struct password_entry){ .line = 0 };
	for (size_t number = 1; wrong == NULL && (line = strsep(&text, "\n")) != NULL; number++) {
		if (line[0] == '\0' || line[0] == '#')
			continue;
		split(line, fields);
		wrong = judge(fields);
		if (wrong == NULL)
			wrong = take(found, fields, user, number);
		if (wrong != NULL)
			found->line = number;
	}
	return wrong;
}
