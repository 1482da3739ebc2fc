#include "tcpserver/logline.h"

#include <string.h>
#include <unistd.h>

#include "base/str.h"

enum { FIELD = 100, LINE = 1024 };

static void begin(struct str *line, char memory[LINE], const char *what)
{
	str_init(line, memory, LINE);
	str_puts(line, "tcpserver: ");
	str_puts(line, what);
}

static void end(struct str *line)
{
	str_putc(line, '\n');
	if (write(2, line->s, line->len) == -1)
		return; /* the log is gone; the service is not */
}

static void put_number(struct str *line, long n)
{
	str_putu(line, (unsigned long)n);
}

static void put_field(struct str *line, const char *text)
{
	size_t n = text == NULL ? 0 : strlen(text);

	for (size_t i = 0; i < n && i < FIELD; i++) {
		const char c = text[i];

		str_putc(line, c < 33 || c > 126 || c == '%' || c == ':' ? '?' : c);
	}
	if (n >= FIELD)
		str_puts(line, "...");
}

static void put_address(struct str *line, const struct addr *a)
{
	char text[ADDR_TEXT];

	addr_format(a, text);
	if (addr_is_v4(a)) {
		str_puts(line, text);
		return;
	}
	str_putc(line, '[');
	str_puts(line, text);
	str_putc(line, ']');
}

void logline_status(unsigned long now, unsigned long limit)
{
	char memory[LINE];
	struct str line;

	begin(&line, memory, "status: ");
	str_putu(&line, now);
	str_putc(&line, '/');
	str_putu(&line, limit);
	end(&line);
}

void logline_pid(long pid, const struct addr *remote)
{
	char memory[LINE];
	struct str line;

	begin(&line, memory, "pid ");
	put_number(&line, pid);
	str_puts(&line, " from ");
	put_address(&line, remote);
	end(&line);
}

void logline_verdict(const char *verdict, long pid, const struct ends *ends, const char *local_host,
	const char *remote_host, const char *remote_info)
{
	char memory[LINE];
	struct str line;

	begin(&line, memory, verdict);
	str_putc(&line, ' ');
	put_number(&line, pid);
	str_putc(&line, ' ');
	put_field(&line, local_host);
	str_putc(&line, ':');
	put_address(&line, &ends->local);
	str_putc(&line, ':');
	str_putu(&line, ends->local_port);
	str_putc(&line, ' ');
	put_field(&line, remote_host);
	str_putc(&line, ':');
	put_address(&line, &ends->remote);
	str_putc(&line, ':');
	put_field(&line, remote_info);
	str_putc(&line, ':');
	str_putu(&line, ends->remote_port);
	end(&line);
}

void logline_end(long pid, int status)
{
	char memory[LINE];
	struct str line;

	begin(&line, memory, "end ");
	put_number(&line, pid);
	str_puts(&line, " status ");
	put_number(&line, status);
	end(&line);
}
