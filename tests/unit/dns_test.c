/* Questions that end in every way at once: a name that cannot be asked, a deadline, the end of it all. What
 * is wrong with the list of open questions shows under SANITIZE=1. */
#include "net/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/tap.h"

static int ended;
static enum dns_result last;

static void on_end(void *arg, enum dns_result result, const char *name)
{
	(void)arg;
	(void)name;
	ended++;
	last = result;
}

/* A name server that never answers: DNSCACHEIP names it. */
static int silent_server(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	char text[64];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&at, size) == -1 ||
		getsockname(fd, (struct sockaddr *)&at, &size) == -1)
		return -1;
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	return setenv("DNSCACHEIP", text, 1) == -1 ? -1 : fd;
}

int main(void)
{
	const int64_t far = clock_ms() + 60000;
	struct addr a;
	struct dns *d;
	int server = silent_server();

	if (server == -1 || addr_parse("127.0.0.1", &a) != NULL)
		return 1;
	d = dns_open();
	if (!tap_ok(d != NULL, "a resolver with a server of DNSCACHEIP"))
		return tap_end();
	tap_ok(dns_ptr(d, &a, far, on_end, NULL) == 0, "a question that stays open");
	tap_ok(dns_confirm(d, "no..name", &a, far, on_end, NULL) == 0 && ended == 0,
		"a name that cannot be asked says so later, not inside the call");
	tap_ok(dns_deadline(d) == 0, "but at once");
	dns_step(d, NULL, 0);
	tap_ok(ended == 1 && last == DNS_NONE, "it is no name; the other stays open");
	tap_ok(dns_ptr(d, &a, clock_ms(), on_end, NULL) == 0, "a question without time");
	tap_ok(dns_confirm(d, "no..name", &a, far, on_end, NULL) == 0, "and one more bad name before it");
	dns_step(d, NULL, 0);
	tap_ok(ended == 3, "both end in one step");
	dns_close(d);
	tap_ok(ended == 3, "who closes hears nothing more");

	d = dns_open();
	tap_ok(d != NULL && dns_ptr(d, &a, far, on_end, NULL) == 0 &&
			dns_confirm(d, "no..name", &a, far, on_end, NULL) == 0,
		"a bad name that nobody waits for");
	dns_close(d);
	tap_ok(ended == 3, "is forgotten with the rest");
	close(server);
	return tap_end();
}
