#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/house.h"
#include "base/sink.h"

static const char *name = "portero";
static bool silent;
static struct sink *sink;

void err_name(const char *program)
{
	name = program;
}

void err_silence(bool on)
{
	silent = on;
}

void err_sink(struct sink *to)
{
	sink = to;
}

static __attribute__((format(printf, 2, 0))) void say(const char *kind, const char *fmt, va_list args)
{
	char line[ERR_LINE];
	size_t n;

	if (silent)
		return;
	/* snprintf may report more than it wrote: the line is cut, its newline is not. */
	n = (size_t)snprintf(line, sizeof line, "%s: %s: ", name, kind);
	if (n < sizeof line)
		n += (size_t)vsnprintf(line + n, sizeof line - n, fmt, args);
	if (n > sizeof line - 1)
		n = sizeof line - 1;
	line[n++] = '\n';
	if (sink != NULL) {
		sink_put(sink, line, n);
		sink_flush(sink);
	} else if (write(2, line, n) == -1) {
		return; /* nobody left to tell */
	}
}

_Noreturn void die(int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("fatal", fmt, args);
	va_end(args);
	_exit(code);
}

_Noreturn void die_usage(const char *usage)
{
	if (!silent && write(2, usage, strlen(usage)) == -1)
		_exit(EXIT_TEMPORARY);
	_exit(EXIT_PERMANENT);
}

void err_option(int argc, char **argv, const char *help)
{
	const char *text;

	if (argc != 2)
		return;
	if (strcmp(argv[1], "--help") == 0)
		text = help;
	else if (strcmp(argv[1], "--version") == 0)
		text = house_version;
	else
		return;
	_exit(write(1, text, strlen(text)) == -1 ? EXIT_TEMPORARY : 0);
}

void warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("warning", fmt, args);
	va_end(args);
}
