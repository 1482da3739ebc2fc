#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"

static enum listen_host resolve(const char *name, int family, struct addr *out)
{
	const struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	struct sockaddr_storage first = { .ss_family = AF_UNSPEC };
	struct addrinfo *list;
	unsigned port;
	int e = getaddrinfo(name, NULL, &hints, &list);

	if (e == EAI_AGAIN || e == EAI_MEMORY || e == EAI_SYSTEM)
		return LISTEN_HOST_TEMPORARY;
	if (e != 0)
		return LISTEN_HOST_NONE;
	memcpy(&first, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return addr_from_sockaddr(&first, out, &port) == 0 ? LISTEN_HOST_OK : LISTEN_HOST_NONE;
}

enum listen_host listen_host(const char *text, struct addr *out)
{
	enum listen_host v4;

	if (strcmp(text, "") == 0 || strcmp(text, "0") == 0)
		text = "0.0.0.0";
	if (addr_parse(text, out) == NULL)
		return LISTEN_HOST_OK;
	v4 = resolve(text, AF_INET, out);
	if (v4 == LISTEN_HOST_OK)
		return v4;
	return resolve(text, AF_INET6, out) == LISTEN_HOST_OK ? LISTEN_HOST_OK : v4;
}

const char *listen_port(const char *text, unsigned *port, bool *unknown)
{
	const struct servent *service;
	unsigned long n;

	*unknown = false;
	if (text[strspn(text, "0123456789")] == '\0' && text[0] != '\0') {
		const char *wrong = num_parse(text, 0, 65535, &n);

		if (wrong == NULL)
			*port = (unsigned)n;
		return wrong;
	}
	service = getservbyname(text, "tcp");
	if (service != NULL) {
		*port = ntohs((uint16_t)service->s_port);
		return NULL;
	}
	if (strcmp(text, "smtp") == 0) { /* a system without /etc/services still has mail */
		*port = 25;
		return NULL;
	}
	*unknown = true;
	return "is no service of this system";
}

int listen_open(const struct addr *a, unsigned port, int backlog, const char **step)
{
	struct sockaddr_storage at;
	socklen_t size = addr_to_sockaddr(a, port, &at);
	const int on = 1;
	int saved;
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*step = "create socket";
	if (fd == -1)
		return -1;
	if (at.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == -1)
		goto fail;
	*step = "bind";
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1 ||
		bind(fd, (const struct sockaddr *)&at, size) == -1)
		goto fail;
	*step = "listen";
	if (listen(fd, backlog) == 0)
		return fd;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}
