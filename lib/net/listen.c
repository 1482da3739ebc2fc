#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* linux/in6.h */
#endif

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

static int fail(int fd)
{
	const int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

static int bind_early(int fd, const struct sockaddr_storage *at, socklen_t size)
{
	const int on = 1;
	const bool v6 = at->ss_family == AF_INET6;

	if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &on,
		    sizeof on) == -1)
		return -1;
	return bind(fd, (const struct sockaddr *)at, size);
}

int listen_open(const struct addr *a, unsigned port, int backlog, bool *early, const char **step)
{
	struct sockaddr_storage at;
	socklen_t size = addr_to_sockaddr(a, port, &at);
	const int on = 1;
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*early = false;
	*step = "create socket";
	if (fd == -1)
		return -1;
	if (at.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == -1)
		return fail(fd);
	*step = "bind";
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1)
		return fail(fd);
	if (bind(fd, (const struct sockaddr *)&at, size) == -1) {
		*early = errno == EADDRNOTAVAIL;
		if (!*early || bind_early(fd, &at, size) == -1)
			return fail(fd);
	}
	*step = "listen";
	return listen(fd, backlog) == 0 ? fd : fail(fd);
}

/* A file that is no socket refuses a connection just so, and is somebody's. */
static bool is_left_over(const struct sockaddr_un *at)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	bool left;

	if (fd == -1)
		return false;
	if (lstat(at->sun_path, &st) == -1 || !S_ISSOCK(st.st_mode)) {
		close(fd);
		return false;
	}
	left = connect(fd, (const struct sockaddr *)at, sizeof *at) == -1 && errno == ECONNREFUSED;
	close(fd);
	return left;
}

int listen_unix(const char *path, int backlog, const char **step)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const size_t n = strlen(path);
	int fd;

	*step = "bind";
	errno = ENAMETOOLONG;
	if (n >= sizeof at.sun_path)
		return -1;
	memcpy(at.sun_path, path, n);
	*step = "create socket";
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	*step = "bind";
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) == -1) {
		if (errno != EADDRINUSE || !is_left_over(&at) || unlink(path) == -1 ||
			bind(fd, (const struct sockaddr *)&at, sizeof at) == -1)
			return fail(fd);
	}
	*step = "listen";
	return listen(fd, backlog) == 0 ? fd : fail(fd);
}
