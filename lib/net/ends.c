#include "net/ends.h"

#include <string.h>

#include "base/str.h"
#include "net/ucspi.h"

enum { PORT_TEXT = 6 };

int ends_of(int fd, const struct sockaddr_storage *peer, struct ends *e)
{
	struct sockaddr_storage at;
	socklen_t size = sizeof at;

	memset(e, 0, sizeof *e); /* it may cross a socket: not even its gaps are left over */
	if (peer == NULL) {
		if (getpeername(fd, (struct sockaddr *)&at, &size) == -1)
			return -1;
		peer = &at;
	}
	if (addr_from_sockaddr(peer, &e->remote, &e->remote_port) == -1)
		return -1;
	size = sizeof at;
	if (getsockname(fd, (struct sockaddr *)&at, &size) == -1)
		return -1;
	return addr_from_sockaddr(&at, &e->local, &e->local_port);
}

bool ends_are_unix(const struct ends *e)
{
	return e->remote_port == 0 && e->local_port == 0;
}

static void put_port(char text[PORT_TEXT], unsigned port)
{
	struct str s;

	str_init(&s, text, PORT_TEXT);
	str_putu(&s, port);
}

int ends_export(const struct ends *e, const char *local_host, const char *remote_host,
	const char *remote_info, struct env *to)
{
	char local_ip[ADDR_TEXT], remote_ip[ADDR_TEXT], local_port[PORT_TEXT], remote_port[PORT_TEXT];
	const char *const values[UCSPI_VARS] = {
		[UCSPI_PROTO] = "TCP",
		[UCSPI_LOCALIP] = local_ip,
		[UCSPI_LOCALPORT] = local_port,
		[UCSPI_LOCALHOST] = local_host,
		[UCSPI_REMOTEIP] = remote_ip,
		[UCSPI_REMOTEPORT] = remote_port,
		[UCSPI_REMOTEHOST] = remote_host,
		[UCSPI_REMOTEINFO] = remote_info,
	};

	addr_format(&e->local, local_ip);
	addr_format(&e->remote, remote_ip);
	put_port(local_port, e->local_port);
	put_port(remote_port, e->remote_port);
	return ucspi_set(to, values);
}
