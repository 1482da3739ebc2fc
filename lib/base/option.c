#include "base/option.h"

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/num.h"
#include "base/str.h"

_Noreturn void option_refuse(const char *program, int result, int letter, const char *usage)
{
	char memory[80];
	struct str line;

	str_init(&line, memory, sizeof memory);
	if (letter > ' ' && letter <= '~') {
		str_puts(&line, program);
		str_puts(&line,
			result == ':' ? ": option requires an argument -- " : ": illegal option -- ");
		str_putc(&line, (char)letter);
		str_putc(&line, '\n');
	}
	if (fs_write_all(2, line.s, line.len) == -1)
		_exit(EXIT_PERMANENT);
	die_usage(usage);
}

_Noreturn void option_print(const char *text)
{
	_exit(fs_write_all(1, text, strlen(text)) == 0 ? 0 : EXIT_TEMPORARY);
}

unsigned long option_number(const char *option, const char *text, unsigned long min, unsigned long max)
{
	unsigned long n = 0;
	const char *wrong = num_parse(text, min, max, &n);

	if (wrong != NULL)
		die(EXIT_PERMANENT, "%s: \"%s\" %s (%lu to %lu)", option, text, wrong, min, max);
	return n;
}

mode_t option_mode(const char *option, const char *text)
{
	unsigned mode = 0;

	if (text[0] == '\0' || strlen(text) > 4 || text[strspn(text, "01234567")] != '\0')
		mode = 01000;
	for (const char *p = text; mode <= 0777 && *p != '\0'; p++)
		mode = mode * 8 + (unsigned)(*p - '0');
	if (mode > 0777)
		die(EXIT_PERMANENT, "%s %s: an octal number up to 777", option, text);
	return mode;
}
