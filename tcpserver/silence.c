#include "tcpserver/silence.h"

#include <errno.h>
#include <limits.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CLOSE_WAIT = 8 /* TCP_CLOSE_WAIT of the kernel's tcp_states.h */ };

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

static void fill(struct question *q, const struct ends *e, int family)
{
	const size_t skip = family == AF_INET ? 12 : 0, n = family == AF_INET ? 4 : 16;

	memset(q, 0, sizeof *q);
	q->head.nlmsg_len = sizeof *q;
	q->head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	q->head.nlmsg_flags = NLM_F_REQUEST;
	q->body.sdiag_family = (uint8_t)family;
	q->body.sdiag_protocol = IPPROTO_TCP;
	q->body.idiag_ext = 1 << (INET_DIAG_INFO - 1);
	q->body.idiag_states = UINT_MAX;
	q->body.id.idiag_sport = htons((uint16_t)e->local_port);
	q->body.id.idiag_dport = htons((uint16_t)e->remote_port);
	memcpy(q->body.id.idiag_src, e->local.byte + skip, n);
	memcpy(q->body.id.idiag_dst, e->remote.byte + skip, n);
	q->body.id.idiag_cookie[0] = q->body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

/* The newest member that we read has been in tcp_info from the beginning, so any length will do. */
static int32_t read_info(const char *reply, size_t n, bool *hung_up)
{
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct inet_diag_msg));
	struct nlmsghdr head;

	if (n < sizeof head)
		return SILENCE_UNKNOWN;
	memcpy(&head, reply, sizeof head);
	if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return SILENCE_UNKNOWN;
	while (at + sizeof(struct rtattr) <= n) {
		struct rtattr attribute;
		struct tcp_info info;
		uint32_t ms;

		memcpy(&attribute, reply + at, sizeof attribute);
		if (attribute.rta_len < sizeof attribute || attribute.rta_len > n - at)
			break;
		if (attribute.rta_type == INET_DIAG_INFO) {
			const size_t have = attribute.rta_len - sizeof attribute;

			memset(&info, 0, sizeof info);
			memcpy(&info, reply + at + sizeof attribute,
				have < sizeof info ? have : sizeof info);
			ms = info.tcpi_last_data_recv < info.tcpi_last_data_sent ? info.tcpi_last_data_recv
										 : info.tcpi_last_data_sent;
			*hung_up = info.tcpi_state == CLOSE_WAIT;
			return ms > INT32_MAX ? INT32_MAX : (int32_t)ms;
		}
		at += RTA_ALIGN(attribute.rta_len);
	}
	return SILENCE_UNKNOWN;
}

static int32_t ask(struct silence *s, const struct ends *e, int family, bool *hung_up)
{
	struct question q;
	char reply[2048];
	ssize_t n;

	fill(&q, e, family);
	if (send(s->fd, &q, sizeof q, MSG_NOSIGNAL) != (ssize_t)sizeof q)
		return SILENCE_UNKNOWN;
	n = recv(s->fd, reply, sizeof reply, MSG_DONTWAIT); /* the kernel answers within send(2) */
	return n <= 0 ? SILENCE_UNKNOWN : read_info(reply, (size_t)n, hung_up);
}

int32_t silence_ms(struct silence *s, const struct ends *e, bool *hung_up)
{
	int32_t ms;

	*hung_up = false;
	if (s->fd == -1)
		s->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (s->fd == -1)
		return SILENCE_UNKNOWN;
	if (!addr_is_v4(&e->remote))
		return ask(s, e, AF_INET6, hung_up);
	ms = ask(s, e, AF_INET, hung_up);
	return ms != SILENCE_UNKNOWN
		       ? ms
		       : ask(s, e, AF_INET6, hung_up); /* somebody gave us a socket for both */
}

void silence_close(struct silence *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

void silence_shut(pid_t pid, const struct ends *e)
{
	struct sockaddr_storage peer;
	struct ends its;
	const int process = (int)syscall(SYS_pidfd_open, pid, 0);
	int fd = -1;

	if (process != -1)
		fd = (int)syscall(SYS_pidfd_getfd, process, 0, 0);
	if (fd != -1) {
		socklen_t size = sizeof peer;

		if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
			ends_of(fd, &peer, &its) == 0 && addr_equal(&its.remote, &e->remote) &&
			its.remote_port == e->remote_port)
			(void)shutdown(fd, SHUT_RDWR);
		close(fd);
	}
	if (process != -1)
		close(process);
}
