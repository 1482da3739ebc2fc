#include "tcpserver/logline.h"

#include <string.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/sink.h"
#include "base/str.h"

enum { FIELD = 100, LINE = 2048 };

static struct sink sink;
static enum logline_form form;

void logline_open(enum logline_form f)
{
	form = f;
	sink_open(&sink, 2, "tcpserver");
	err_sink(&sink);
}

void logline_flush(void)
{
	if (sink_is_full(&sink))
		sink_flush(&sink);
}

int logline_waits(void)
{
	return sink_is_full(&sink) ? sink.fd : -1;
}

/* ---- both forms ----------------------------------------------------------------------------------- */

static void begin(struct str *line, char memory[LINE], const char *event)
{
	str_init(line, memory, LINE);
	str_puts(line, form == LOGLINE_JSON ? "{\"event\":\"" : "tcpserver: ");
	str_puts(line, event);
	if (form == LOGLINE_JSON)
		str_putc(line, '"');
}

static void end(struct str *line)
{
	if (form == LOGLINE_JSON)
		str_putc(line, '}');
	str_putc(line, '\n');
	if (!line->full)
		sink_put(&sink, line->s, line->len);
}

/* A number, behind its name where the form has names. */
static void put_number(struct str *line, const char *name, unsigned long n)
{
	if (form == LOGLINE_JSON) {
		str_puts(line, ",\"");
		str_puts(line, name);
		str_puts(line, "\":");
	} else {
		str_putc(line, ' ');
	}
	str_putu(line, n);
}

/* ---- JSON ----------------------------------------------------------------------------------------- */

/* Bytes outside ASCII are none of a name or of an address: they become "?", as in the classic form. */
static void put_json(struct str *line, const char *name, const char *text)
{
	str_puts(line, ",\"");
	str_puts(line, name);
	str_puts(line, "\":\"");
	for (size_t i = 0; text != NULL && text[i] != '\0' && i < FIELD; i++) {
		const char c = text[i];

		if (c == '"' || c == '\\')
			str_putc(line, '\\');
		str_putc(line, c < 32 || c > 126 ? '?' : c);
	}
	str_putc(line, '"');
}

static const char *address(const struct ends *e, const struct addr *a, char text[ADDR_TEXT])
{
	if (ends_are_unix(e))
		return "unix";
	addr_format(a, text);
	return text;
}

static void put_json_ends(struct str *line, const struct ends *e, const char *local_host,
	const char *remote_host, const char *remote_info)
{
	char text[ADDR_TEXT];

	put_json(line, "local_host", local_host);
	put_json(line, "local_ip", address(e, &e->local, text));
	put_number(line, "local_port", e->local_port);
	put_json(line, "remote_host", remote_host);
	put_json(line, "remote_ip", address(e, &e->remote, text));
	put_json(line, "remote_info", remote_info);
	put_number(line, "remote_port", e->remote_port);
}

/* ---- the classic form ----------------------------------------------------------------------------- */

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

static void put_address(struct str *line, const struct ends *e, const struct addr *a)
{
	const bool brackets = !ends_are_unix(e) && !addr_is_v4(a);
	char text[ADDR_TEXT];

	if (brackets)
		str_putc(line, '[');
	str_puts(line, address(e, a, text));
	if (brackets)
		str_putc(line, ']');
}

static void put_ends(struct str *line, const struct ends *e, const char *local_host,
	const char *remote_host, const char *remote_info)
{
	str_putc(line, ' ');
	put_field(line, local_host);
	str_putc(line, ':');
	put_address(line, e, &e->local);
	str_putc(line, ':');
	str_putu(line, e->local_port);
	str_putc(line, ' ');
	put_field(line, remote_host);
	str_putc(line, ':');
	put_address(line, e, &e->remote);
	str_putc(line, ':');
	put_field(line, remote_info);
	str_putc(line, ':');
	str_putu(line, e->remote_port);
}

/* ---- the lines ------------------------------------------------------------------------------------ */

void logline_status(unsigned long now, unsigned long limit)
{
	char memory[LINE];
	struct str line;

	begin(&line, memory, form == LOGLINE_JSON ? "status" : "status:");
	put_number(&line, "sessions", now);
	if (form == LOGLINE_JSON) {
		put_number(&line, "limit", limit);
	} else {
		str_putc(&line, '/');
		str_putu(&line, limit);
	}
	end(&line);
}

void logline_pid(long pid, const struct ends *e)
{
	char memory[LINE], text[ADDR_TEXT];
	struct str line;

	begin(&line, memory, "pid");
	put_number(&line, "pid", (unsigned long)pid);
	if (form == LOGLINE_JSON) {
		put_json(&line, "remote_ip", address(e, &e->remote, text));
	} else {
		str_puts(&line, " from ");
		put_address(&line, e, &e->remote);
	}
	end(&line);
}

void logline_verdict(const char *verdict, long pid, const struct ends *e, const char *local_host,
	const char *remote_host, const char *remote_info, const char *reason)
{
	char memory[LINE];
	struct str line;

	begin(&line, memory, verdict);
	put_number(&line, "pid", (unsigned long)pid);
	if (form == LOGLINE_JSON) {
		put_json_ends(&line, e, local_host, remote_host, remote_info);
		put_json(&line, "reason", reason);
	} else {
		put_ends(&line, e, local_host, remote_host, remote_info);
	}
	end(&line);
}

void logline_limit(long pid, const char *word)
{
	char memory[LINE];
	struct str line;

	begin(&line, memory, "limit");
	put_number(&line, "pid", (unsigned long)pid);
	if (form == LOGLINE_JSON) {
		put_json(&line, "reason", word);
	} else {
		str_putc(&line, ' ');
		str_puts(&line, word);
	}
	end(&line);
}

void logline_shed(long pid)
{
	char memory[LINE];
	struct str line;

	begin(&line, memory, "shed");
	put_number(&line, "pid", (unsigned long)pid);
	end(&line);
}

void logline_end(long pid, int status)
{
	char memory[LINE];
	struct str line;

	begin(&line, memory, "end");
	put_number(&line, "pid", (unsigned long)pid);
	if (form == LOGLINE_JSON) {
		put_number(&line, "status", (unsigned long)status);
		if (WIFSIGNALED(status))
			put_number(&line, "signal", (unsigned long)WTERMSIG(status));
		else
			put_number(&line, "code", (unsigned long)WEXITSTATUS(status));
	} else {
		str_puts(&line, " status ");
		str_putu(&line, (unsigned long)status);
	}
	end(&line);
}
