#include "tcpserver/tls_log.h"

#include <unistd.h>

#include "base/err.h"
#include "base/sink.h"
#include "base/str.h"

enum { LINE = 512 };

static struct sink sink;

void tls_log_open(void)
{
	sink_open(&sink, 2, "tls");
	if (sink.fd != 2 && dup2(sink.fd, 2) == 2) {
		close(sink.fd);
		sink.fd = 2;
	}
	err_sink(&sink);
}

void tls_log_flush(void)
{
	sink_flush(&sink);
}

void tls_log_handshake(pid_t program, bool verbose, const struct tls_session *s, const char *wrong)
{
	char memory[LINE];
	struct str line;

	if (!verbose)
		return;
	str_init(&line, memory, sizeof memory);
	str_puts(&line, wrong == NULL ? "tls: ok " : "tls: failed ");
	str_putu(&line, (unsigned long)program);
	str_putc(&line, ' ');
	if (wrong == NULL)
		tls_describe(s, &line);
	else
		str_puts(&line, wrong);
	str_putc(&line, '\n');
	if (line.full)
		return;
	sink_put(&sink, line.s, line.len);
	sink_flush(&sink);
}
