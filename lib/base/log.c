#include "base/log.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

static const char *tag = "portero";
static int syslog_fd = -1;
static bool is_syslog;
static bool is_plain;

static bool same_socket(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && S_ISSOCK(x.st_mode) && S_ISSOCK(y.st_mode) &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

void log_open(const char *name)
{
	static const struct sockaddr_un device = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	tag = name;
	is_syslog = same_socket(0, 2);
	if (!is_syslog)
		return;
	syslog_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (syslog_fd != -1 && connect(syslog_fd, (const struct sockaddr *)&device, sizeof device) == -1) {
		close(syslog_fd); /* no syslog here: lines are dropped */
		syslog_fd = -1;
	}
}

void log_plain(void)
{
	is_plain = true;
}

static void put_tag(struct str *line)
{
	if (is_syslog)
		str_puts(line, "<22>"); /* facility mail (2), severity info (6) */
	else if (is_plain)
		return;
	str_puts(line, tag);
	if (is_syslog) {
		str_putc(line, '[');
		str_putu(line, (unsigned long)getpid());
		str_putc(line, ']');
	}
	str_puts(line, ": ");
}

void log_line(const char *text, size_t n)
{
	char memory[LOG_LINE];
	struct str line;
	size_t room;

	str_init(&line, memory, sizeof memory);
	put_tag(&line);
	room = sizeof memory - line.len - 2;
	str_put(&line, text, n < room ? n : room);
	if (!is_syslog)
		str_putc(&line, '\n');
	if (is_syslog && syslog_fd == -1)
		return;
	if (write(is_syslog ? syslog_fd : 2, line.s, line.len) == -1)
		return;
}

bool log_is_syslog(void)
{
	return is_syslog;
}
