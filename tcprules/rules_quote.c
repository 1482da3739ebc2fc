#include "tcprules/rules_quote.h"

#include <string.h>

static bool may_quote(const char *value, size_t n, char c)
{
	return c != '\n' && c != ' ' && c != '\t' && c != '\0' && memchr(value, c, n) == NULL;
}

bool rules_quote_find(const char *value, size_t n, char *quote)
{
	static const char nice[] = "\"'/|!~+%^";

	for (const char *p = nice; *p != '\0'; p++)
		if (may_quote(value, n, *p)) {
			*quote = *p;
			return true;
		}
	/* the printable ones first */
	for (unsigned i = 0; i < 256; i++) {
		const char c = (char)(unsigned char)(i + 0x21);

		if (may_quote(value, n, c)) {
			*quote = c;
			return true;
		}
	}
	return false;
}
