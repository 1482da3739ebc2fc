#include "tcprules/hosts_option.h"

#include <string.h>

#include "tcprules/rules_quote.h"

static const char *const blanks = " \t\r\n";

char *hosts_option_trim(char *text)
{
	char *end;

	text += strspn(text, blanks);
	end = text + strlen(text);
	while (end > text && strchr(blanks, end[-1]) != NULL)
		*--end = '\0';
	return text;
}

/* %% is a percent sign; the other letters are known when a client is there, and rules are fixed. */
static const char *expand(char *value)
{
	char *to = value;

	for (; *value != '\0'; value++) {
		if (*value == '%' && *++value != '%')
			return "an expansion is no rule";
		*to++ = *value;
	}
	*to = '\0';
	return NULL;
}

static const char *option_setenv(struct hosts_options *o, char *value)
{
	char *rest = value + strcspn(value, " \t");
	const char *wrong;
	char quote;

	if (*rest != '\0')
		*rest++ = '\0';
	rest = hosts_option_trim(rest);
	if (*value == '\0' || strchr(value, '=') != NULL)
		return "setenv needs a name and a value";
	wrong = expand(rest);
	if (wrong != NULL)
		return wrong;
	if (!rules_quote_find(rest, strlen(rest), &quote))
		return "no byte is left to quote this value";
	str_putc(&o->out, ',');
	str_puts(&o->out, value);
	str_putc(&o->out, '=');
	str_putc(&o->out, quote);
	str_puts(&o->out, rest);
	str_putc(&o->out, quote);
	return NULL;
}

static const char *option_verdict(struct hosts_options *o, const char *word, const char *value)
{
	if (*value != '\0')
		return "allow and deny take no value";
	o->verdict = word;
	o->closed = true;
	return NULL;
}

static const char *option_ignored(const char *keyword)
{
	/* they change nothing of what the program sees; tcpserver always has keepalive */
	static const char *const harmless[] = { "severity", "keepalive", "rfc931" };

	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		if (strcasecmp(keyword, harmless[i]) == 0)
			return NULL;
	return "rules have no such option";
}

const char *hosts_option_parse(struct hosts_options *o, char *text)
{
	char *keyword = hosts_option_trim(text);
	char *value = keyword + strcspn(keyword, " \t=");

	if (*keyword == '\0')
		return "an option is empty, which libwrap denies";
	if (o->closed)
		return "allow and deny come last";
	if (*value != '\0') {
		const char stop = *value;

		*value++ = '\0';
		value += strspn(value, " \t");
		if (stop != '=' && *value == '=')
			value++;
		value = hosts_option_trim(value);
	}
	if (strcasecmp(keyword, "setenv") == 0)
		return option_setenv(o, value);
	if (strcasecmp(keyword, "allow") == 0)
		return option_verdict(o, "allow", value);
	if (strcasecmp(keyword, "deny") == 0)
		return option_verdict(o, "deny", value);
	return option_ignored(keyword);
}

/* Up to the next colon that no backslash protects, whose backslash is taken out. */
char *hosts_option_split(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (text[0] == '\\' && text[1] == ':') {
			*to++ = *++text;
			continue;
		}
		if (*text == ':') {
			*to = '\0';
			return text + 1;
		}
		*to++ = *text;
	}
	*to = '\0';
	return NULL;
}
