/* attack_child.c - the program behind a server under attack: small, so that a storm is the server's to bear.
 *
 *   attack_child hold          a banner, then an echo until the client's end
 *   attack_child deaf          a banner, then it never looks at its client again
 *   attack_child stubborn      the same, and SIGTERM does not move it
 *   attack_child gone          a banner, and good-bye
 *   attack_child orphans       gives its server children that are not its own, then as hold
 *   attack_child keepalive     is SO_KEEPALIVE on?
 *   attack_child ids           its users, its groups, and "back" when it could become root again
 *   attack_child kill HOW UID  tries to end, stop or blind the process that started it, if we are UID
 *
 * Compiled by attacks.py. HOW is one of the table at the end. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIFE_S = 60, CHILDREN = 20 };

static void say(const char *text)
{
	if (write(1, text, strlen(text)) == -1)
		_exit(0);
}

static void echo(void)
{
	char buffer[4096];
	ssize_t n;

	while ((n = read(0, buffer, sizeof buffer)) > 0)
		if (write(1, buffer, (size_t)n) != n)
			return;
}

static void keepalive(void)
{
	int on = -1;
	socklen_t size = sizeof on;

	getsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &on, &size);
	printf("%d\n", on);
}

static void ids(void)
{
	uid_t u[3];
	gid_t g[3], groups[64];
	const int n = getgroups(64, groups);

	if (getresuid(&u[0], &u[1], &u[2]) == -1 || getresgid(&g[0], &g[1], &g[2]) == -1)
		return;
	printf("%u %u %u, %u %u %u,", u[0], u[1], u[2], g[0], g[1], g[2]);
	for (int i = 0; i < n; i++)
		printf(" %u", groups[i]);
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setgroups(0, NULL) == 0)
		printf(" back");
	printf("\n");
}

/* ---- a child against its server ------------------------------------------------------------------- */

/* Whoever owns a descriptor is told of its input by the signal that we choose. */
static void signal_by_input(int whose, int how)
{
	struct f_owner_ex owner = { F_OWNER_PID, whose };
	int pair[2], on = 1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return;
	if (how == F_SETOWN)
		fcntl(pair[0], F_SETOWN, whose);
	else if (how == F_SETOWN_EX)
		fcntl(pair[0], F_SETOWN_EX, &owner);
	else
		ioctl(pair[0], (unsigned)how, &whose);
	fcntl(pair[0], F_SETSIG, SIGKILL);
	ioctl(pair[0], FIOASYNC, &on);
	if (write(pair[1], "x", 1) == -1)
		return;
	usleep(20000);
}

static void by_kill(pid_t server)
{
	kill(server, SIGKILL);
}

static void by_term(pid_t server)
{
	kill(server, SIGTERM);
}

static void by_stop(pid_t server)
{
	kill(server, SIGSTOP);
}

static void by_group(pid_t server)
{
	const pid_t group = getpgid(server);

	signal(SIGTERM, SIG_IGN); /* that we live ourselves */
	kill(0, SIGTERM);
	if (group > 1 && group != getpgid(0))
		kill(-group, SIGKILL);
}

static void by_all(pid_t server)
{
	(void)server;
	kill(-1, SIGKILL); /* ourselves not included: Linux */
}

static void by_pidfd(pid_t server)
{
	const int fd = (int)syscall(SYS_pidfd_open, server, 0);

	if (fd != -1)
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

/* A descriptor of /proc/PID is a pidfd for this call too. */
static void by_proc(pid_t server)
{
	char path[32];
	int fd;

	snprintf(path, sizeof path, "/proc/%d", (int)server);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	if (fd != -1)
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

static void by_thread(pid_t server)
{
	syscall(SYS_tgkill, server, server, SIGKILL);
	syscall(SYS_tkill, server, SIGKILL);
}

static void by_queue(pid_t server)
{
	siginfo_t info = { .si_code = -1 /* SI_QUEUE */, .si_signo = SIGKILL };

	syscall(SYS_rt_sigqueueinfo, server, SIGKILL, &info);
	syscall(SYS_rt_tgsigqueueinfo, server, server, SIGKILL, &info);
}

static void by_owner(pid_t server)
{
	signal_by_input(server, F_SETOWN);
}

static void by_owner_ex(pid_t server)
{
	signal_by_input(server, F_SETOWN_EX);
}

static void by_owner_ioctl(pid_t server)
{
	signal_by_input(server, 0x8901); /* FIOSETOWN */
	signal_by_input(server, 0x8902); /* SIOCSPGRP */
}

/* The call numbers of another architecture pass a filter that only knows those of one. */
static void by_old_call(pid_t server)
{
#ifdef __x86_64__
	long result;

	syscall(0x40000000 + SYS_kill, server, SIGKILL); /* x32 */
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(37), "b"(server), "c"(SIGKILL) : "memory");
#else
	(void)server;
#endif
}

static void by_limits(pid_t server)
{
	const struct rlimit none = { 0, 0 };

	prlimit(server, RLIMIT_NOFILE, &none, NULL);
	prlimit(server, RLIMIT_CPU, &none, NULL);
	prlimit(server, RLIMIT_NPROC, &none, NULL);
}

static void by_trace(pid_t server)
{
	if (ptrace(PTRACE_ATTACH, server, NULL, NULL) == 0) {
		waitpid(server, NULL, 0);
		ptrace(PTRACE_KILL, server, NULL, NULL);
	}
	if (ptrace(PTRACE_SEIZE, server, NULL, NULL) == 0)
		ptrace(PTRACE_INTERRUPT, server, NULL, NULL);
}

/* Children that are our server's: it has to bury them, and must not take them for clients that left. */
static void by_orphans(pid_t server)
{
	(void)server;
	for (int i = 0; i < CHILDREN; i++)
		if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL) == 0)
			_exit(0);
}

static const struct {
	const char *name;
	void (*run)(pid_t server);
} attacks[] = {
	{ "kill", by_kill },
	{ "term", by_term },
	{ "stop", by_stop },
	{ "group", by_group },
	{ "all", by_all },
	{ "pidfd", by_pidfd },
	{ "proc", by_proc },
	{ "thread", by_thread },
	{ "queue", by_queue },
	{ "owner", by_owner },
	{ "owner_ex", by_owner_ex },
	{ "owner_ioctl", by_owner_ioctl },
	{ "old_call", by_old_call },
	{ "limits", by_limits },
	{ "trace", by_trace },
	{ "orphans", by_orphans },
};

/* Root would hit everybody: only ever as the user that the test made up. */
static void attack(const char *how, const char *uid)
{
	const unsigned long wanted = strtoul(uid, NULL, 10);

	if (wanted < 1000000 || getuid() != wanted || geteuid() != wanted)
		return;
	for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++)
		if (strcmp(attacks[i].name, how) == 0) {
			attacks[i].run(getppid());
			say("tried\n");
		}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "kill") == 0 && argc == 4) {
		attack(argv[2], argv[3]);
		return 0;
	}
	if (strcmp(mode, "keepalive") == 0 || strcmp(mode, "ids") == 0) {
		(strcmp(mode, "ids") == 0 ? ids : keepalive)();
		return 0;
	}
	if (strcmp(mode, "stubborn") == 0)
		signal(SIGTERM, SIG_IGN);
	if (strcmp(mode, "orphans") == 0)
		by_orphans(getppid());
	say("220 hello\n");
	if (strcmp(mode, "hold") == 0 || strcmp(mode, "orphans") == 0)
		echo();
	else if (strcmp(mode, "gone") != 0)
		sleep(LIFE_S);
	return 0;
}
