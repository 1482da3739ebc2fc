#include "smtpd/listing.h"

#include <string.h>

#include "base/str.h"

void listing_read(struct listing *l, const char *value)
{
	struct str text;

	*l = (struct listing){ .refuses = false };
	if (value == NULL || value[0] == '\0')
		return;
	l->refuses = true;
	l->for_ever = value[0] == '-';
	value += l->for_ever;
	str_init(&text, l->text, sizeof l->text);
	str_put_printable(&text, value, strnlen(value, LISTING_TEXT));
}
