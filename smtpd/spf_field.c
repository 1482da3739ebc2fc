#include "smtpd/spf_field.h"

#include <string.h>

enum { VALUE_MAX = 400 }; /* twice that, quoted: well below the 998 of a line */

static bool is_atext(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* atext with single dots inside */
static bool is_dot_atom(const char *text)
{
	char before = '.';

	for (; *text != '\0'; before = *text++)
		if (!is_atext(*text) && !(*text == '.' && before != '.'))
			return false;
	return before != '.';
}

static void put_quoted(struct str *out, const char *text)
{
	str_putc(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			str_putc(out, '\\');
		str_put_printable(out, text, 1);
	}
	str_putc(out, '"');
}

static void put_pair(struct str *out, const char *key, const char *value, bool more)
{
	if (strlen(value) > VALUE_MAX)
		return;
	str_puts(out, more ? ";\n\t" : "\n\t");
	str_puts(out, key);
	str_putc(out, '=');
	if (is_dot_atom(value))
		str_puts(out, value);
	else
		put_quoted(out, value);
}

void spf_field_put(struct str *out, const struct spf_field *f)
{
	str_puts(out, "Received-SPF: ");
	str_puts(out, spf_result_name(f->verdict->result));
	put_pair(out, "identity", f->identity, false);
	put_pair(out, "client-ip", f->client, true);
	put_pair(out, "envelope-from", f->sender, true);
	put_pair(out, "helo", f->helo, true);
	put_pair(out, "receiver", f->receiver, true);
	if (f->verdict->result != SPF_NONE)
		put_pair(out, "mechanism", f->verdict->mechanism, true);
	if (f->verdict->problem != NULL)
		put_pair(out, "problem", f->verdict->problem, true);
}
