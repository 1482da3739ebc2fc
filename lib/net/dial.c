#include "net/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dns.h"

static void append(struct dial_list *l, const struct addr *a)
{
	for (size_t i = 0; i < l->count; i++)
		if (addr_equal(&l->addr[i], a))
			return;
	if (l->count < DIAL_ADDRESSES)
		l->addr[l->count++] = *a;
}

/* ---- names ---------------------------------------------------------------------------------------- */

struct answer {
	struct dial_list *list;
	enum dns_result result;
	bool open;
};

static void on_addresses(void *arg, enum dns_result result, const struct addr *list, size_t count)
{
	struct answer *a = arg;

	a->open = false;
	a->result = result;
	for (size_t i = 0; i < count; i++)
		append(a->list, &list[i]);
}

static int wait_for_dns(struct dns *d)
{
	struct pollfd fds[DNS_POLL];
	const size_t count = dns_poll(d, fds);

	if (poll(fds, count, clock_left_ms(dns_deadline(d))) == -1 && errno != EINTR)
		return -1;
	dns_step(d, fds, count);
	return 0;
}

static enum dial_host ask_dns(const char *name, int timeout_ms, struct dial_list *out)
{
	struct dial_list v6 = { .count = 0 }, v4 = { .count = 0 };
	struct answer six = { .list = &v6, .result = DNS_TEMPORARY };
	struct answer four = { .list = &v4, .result = DNS_TEMPORARY };
	const int64_t deadline_ms = clock_ms() + timeout_ms;
	struct dns *d = dns_open();

	if (d == NULL)
		return DIAL_HOST_TEMPORARY;
	six.open = dns_aaaa(d, name, deadline_ms, on_addresses, &six) == 0;
	four.open = dns_a(d, name, deadline_ms, on_addresses, &four) == 0;
	while (six.open || four.open)
		if (wait_for_dns(d) == -1)
			break;
	dns_close(d);
	for (size_t i = 0; i < v6.count; i++)
		append(out, &v6.addr[i]);
	for (size_t i = 0; i < v4.count; i++)
		append(out, &v4.addr[i]);
	if (out->count > 0)
		return DIAL_HOST_OK; /* one family that could not be asked does not spoil the other */
	if (six.result == DNS_TEMPORARY || four.result == DNS_TEMPORARY)
		return DIAL_HOST_TEMPORARY;
	return DIAL_HOST_NONE;
}

static enum dial_host ask_system(const char *name, struct dial_list *out)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	const int e = getaddrinfo(name, NULL, &hints, &list);

	if (e == EAI_AGAIN || e == EAI_MEMORY || e == EAI_SYSTEM)
		return DIAL_HOST_TEMPORARY;
	if (e != 0)
		return DIAL_HOST_NONE;
	for (const struct addrinfo *i = list; i != NULL; i = i->ai_next) {
		struct sockaddr_storage at;
		struct addr a;
		unsigned port;

		memcpy(&at, i->ai_addr, i->ai_addrlen);
		if (addr_from_sockaddr(&at, &a, &port) == 0)
			append(out, &a);
	}
	freeaddrinfo(list);
	return out->count > 0 ? DIAL_HOST_OK : DIAL_HOST_NONE;
}

/* No packet is sent: connecting a UDP socket only asks the routing table. */
static bool has_route(const struct addr *a)
{
	struct sockaddr_storage to;
	const socklen_t size = addr_to_sockaddr(a, 1, &to);
	const int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;

	if (fd == -1)
		return false;
	found = connect(fd, (const struct sockaddr *)&to, size) == 0;
	close(fd);
	return found;
}

static void put_unreachable_last(struct dial_list *l)
{
	struct dial_list last = { .count = 0 };
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++)
		if (has_route(&l->addr[i]))
			l->addr[kept++] = l->addr[i];
		else
			append(&last, &l->addr[i]);
	memcpy(&l->addr[kept], last.addr, last.count * sizeof last.addr[0]);
}

enum dial_host dial_host(const char *text, int timeout_ms, struct dial_list *out)
{
	const char *server = getenv("DNSCACHEIP");
	enum dial_host result;

	out->count = 0;
	if (strcmp(text, "") == 0 || strcmp(text, "0") == 0)
		text = "127.0.0.1";
	if (addr_parse(text, &out->addr[0]) == NULL) {
		out->count = 1;
		return DIAL_HOST_OK;
	}
	if (server != NULL && server[0] != '\0')
		result = ask_dns(text, timeout_ms, out);
	else
		result = ask_system(text, out);
	put_unreachable_last(out);
	return result;
}

/* ---- connections ---------------------------------------------------------------------------------- */

static int bind_near(int fd, const struct addr *to, const struct addr *from, unsigned port)
{
	struct addr any = { { 0 } };
	struct sockaddr_storage at;
	socklen_t size;

	if (from == NULL && port == 0)
		return 0;
	if (from == NULL && addr_is_v4(to))
		any.byte[10] = any.byte[11] = 0xff; /* ::ffff:0.0.0.0 */
	size = addr_to_sockaddr(from != NULL ? from : &any, port, &at);
	return bind(fd, (const struct sockaddr *)&at, size);
}

int dial_finish(int fd, int timeout_ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	const int64_t deadline_ms = clock_ms() + timeout_ms;
	int n, error;
	socklen_t size = sizeof error;

	do
		n = poll(&wait, 1, clock_left_ms(deadline_ms));
	while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	if (n <= 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

int dial(const struct addr *to, unsigned port, const struct addr *from, unsigned from_port, int timeout_ms,
	const char **step)
{
	struct sockaddr_storage at;
	const socklen_t size = addr_to_sockaddr(to, port, &at);
	const int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int saved;

	*step = "create socket";
	if (fd == -1)
		return -1;
	*step = "bind socket";
	if (bind_near(fd, to, from, from_port) == -1)
		goto fail;
	*step = "connect";
	if (connect(fd, (const struct sockaddr *)&at, size) == -1 &&
		(errno != EINPROGRESS || dial_finish(fd, timeout_ms) == -1))
		goto fail;
	if (fcntl(fd, F_SETFL, 0) == 0)
		return fd;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}
