/* floor close|spawn|hand [PROGRAM] - the least that a server can do: no rules, no limits, no log.
 *
 *   close  accepts and closes: the floor of a client that is denied
 *   spawn  accepts, and starts PROGRAM with the connection on 0 and 1, without a copy of its memory
 *   hand   accepts, and hands the connection to one of sixteen processes, each of which writes a line
 *
 * Prints its port on descriptor 1, as tcpserver -1 does, and ends by SIGTERM. */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

enum { BACKLOG = 1024, HANDS = 16 };

static int listen_somewhere(void)
{
	struct sockaddr_in at = loopback("0");
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof at) == -1 || listen(fd, BACKLOG) == -1 ||
		getsockname(fd, (struct sockaddr *)&at, &size) == -1)
		fail("listen");
	dprintf(1, "%u\n", ntohs(at.sin_port));
	return fd;
}

static void spawn(char **argv, int fd)
{
	posix_spawn_file_actions_t files;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, fd, 0);
	posix_spawn_file_actions_adddup2(&files, fd, 1);
	errno = posix_spawn(&pid, argv[0], &files, NULL, argv, environ);
	if (errno != 0)
		fail(argv[0]);
	posix_spawn_file_actions_destroy(&files);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

union rights {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static struct msghdr message(struct iovec *byte, union rights *r)
{
	return (struct msghdr){
		.msg_iov = byte, .msg_iovlen = 1, .msg_control = r, .msg_controllen = sizeof *r
	};
}

static void be_a_hand(int control)
{
	static const char line[] = "hello\r\n";
	char word;
	union rights r;
	struct iovec byte = { &word, 1 };
	struct msghdr m = message(&byte, &r);
	int fd;

	while (recvmsg(control, &m, 0) == 1) {
		memcpy(&fd, CMSG_DATA(&r.header), sizeof fd);
		if (write(fd, line, sizeof line - 1) == -1)
			fail("write");
		close(fd);
	}
	_exit(0);
}

static void start_hands(int controls[HANDS])
{
	for (int i = 0; i < HANDS; i++) {
		int ends[2];
		pid_t pid;

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1 ||
			(pid = fork()) == -1)
			fail("fork");
		if (pid == 0) {
			for (int j = 0; j < i; j++)
				close(controls[j]); /* else nobody would see the end */
			close(ends[1]);
			be_a_hand(ends[0]);
		}
		close(ends[0]);
		controls[i] = ends[1];
	}
}

static void hand(int control, int fd)
{
	union rights r = { .header = {
				   .cmsg_level = SOL_SOCKET,
				   .cmsg_type = SCM_RIGHTS,
				   .cmsg_len = CMSG_LEN(sizeof fd),
			   } };
	struct iovec byte = { (char[]){ 'x' }, 1 };
	const struct msghdr m = message(&byte, &r);

	memcpy(CMSG_DATA(&r.header), &fd, sizeof fd);
	if (sendmsg(control, &m, MSG_NOSIGNAL) != 1)
		fail("sendmsg");
}

int main(int argc, char **argv)
{
	const char *manner = argc > 1 ? argv[1] : "";
	const int does_spawn = strcmp(manner, "spawn") == 0, does_hand = strcmp(manner, "hand") == 0;
	int controls[HANDS], listener;

	if (!does_spawn && !does_hand && strcmp(manner, "close") != 0)
		give_up("usage: floor close|spawn|hand [program]");
	if (does_hand)
		start_hands(controls);
	listener = listen_somewhere();
	for (unsigned i = 0;; i++) {
		const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd == -1)
			fail("accept");
		if (does_spawn)
			spawn(argv + 2, fd);
		else if (does_hand)
			hand(controls[i % HANDS], fd);
		close(fd);
	}
}
