#include "smtpd/told.h"

#include <string.h>

#include "base/str.h"

bool told_add(struct told *t, const char *name, const char *value)
{
	struct str text;
	size_t count = 0, used = 0;

	for (; t->pairs[count] != NULL; count++)
		used += strlen(t->pairs[count]) + 1; /* they lie one behind another */
	if (count == TOLD_MAX || used == sizeof t->bytes)
		return false;
	str_init(&text, t->bytes + used, sizeof t->bytes - used);
	str_puts(&text, name);
	str_putc(&text, '=');
	str_puts(&text, value);
	if (text.full)
		return false;
	t->pairs[count] = text.s;
	t->pairs[count + 1] = NULL;
	return true;
}

void told_clear(struct told *t)
{
	explicit_bzero(t, sizeof *t);
}
