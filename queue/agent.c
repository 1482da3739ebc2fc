#include "queue/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "net/pass.h"

static bool is_ours(int fd)
{
	int type = 0, domain = 0;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

static char packet[AGENT_PACKET];

const char *agent_open(unsigned limit)
{
	size_t n;

	if (!is_ours(AGENT_FD))
		return "descriptor 3 is not queued; see portero-agent(7)";
	if (fcntl(AGENT_FD, F_SETFD, FD_CLOEXEC) == -1)
		return "descriptor 3 cannot be kept";
	n = agent_wire_hello(packet, limit);
	return pass_send(AGENT_FD, packet, n, NULL, 0) == 0 ? NULL : "queued has gone";
}

int agent_next(struct agent_job *j, char *memory, bool wait)
{
	struct pass came;
	const ssize_t n = pass_receive(
		AGENT_FD, memory, AGENT_PACKET, &came, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));

	if (n == -1)
		return errno == ECONNRESET ? 0 : -1; /* it went before it had read our reports */
	if (n == 0)
		return 0;
	if (came.count != 1 || !agent_wire_read_job(memory, (size_t)n, j)) {
		pass_close(&came);
		errno = EPROTO;
		return -1;
	}
	j->fd = came.fd[0];
	return 1;
}

int agent_report(const struct agent_report *r)
{
	const size_t n = agent_wire_report(packet, r);

	return pass_send(AGENT_FD, packet, n, NULL, 0);
}
