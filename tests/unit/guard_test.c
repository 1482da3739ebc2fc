/* The guard: a server that holds it, and a child that tries every way to reach it, for real.
 *
 * Root only: without root it must change nothing but dumpability. Everything happens in forked processes,
 * since a filter stays. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <asm/ioctls.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/guard.h"
#include "tests/unit/bpf.h"
#include "tests/unit/tap.h"

enum { SOMEBODY = 65534, SET_OWNER_EX = 15, IO_PROCESS = 1, IO_GROUP = 2, IO_USER = 3, X32 = 0x40000000 };

/* Written by the child, read by the test when all have ended. */
static FILE *report;

static void tell(bool good, const char *name)
{
	fprintf(report, "%c%s\n", good ? '+' : '-', name);
	fflush(report);
}

/* A call that must fail with this errno and without having done anything. */
static void refused(long answer, int want, const char *name)
{
	const int error = errno;

	tell(answer == -1 && error == want, name);
	if (answer != -1 || error != want)
		fprintf(report, "%s: %ld, errno %d\n", name, answer, error);
}

#define REFUSED(...)                                                \
	do {                                                        \
		errno = 0;                                          \
		refused(syscall(__VA_ARGS__), EPERM, #__VA_ARGS__); \
	} while (0)

static void try_signals(long server, long group)
{
	const uint64_t high = UINT64_C(1) << 40; /* the kernel does not look there */
	siginfo_t info = { .si_signo = SIGKILL, .si_code = SI_QUEUE };

	REFUSED(SYS_kill, server, SIGKILL);
	REFUSED(SYS_kill, server, 0);
	REFUSED(SYS_kill, (uint64_t)server | high, SIGKILL);
	REFUSED(SYS_kill, 0, SIGKILL);
	REFUSED(SYS_kill, high, SIGKILL);
	REFUSED(SYS_kill, -1, 0);
	REFUSED(SYS_kill, 0xffffffffUL, 0);
	REFUSED(SYS_kill, -group, SIGKILL);
	REFUSED(SYS_kill, (uint64_t)(uint32_t)-group, SIGKILL);
	REFUSED(SYS_tkill, server, SIGKILL);
	REFUSED(SYS_tgkill, server, server, SIGKILL);
	REFUSED(SYS_rt_sigqueueinfo, server, SIGKILL, &info);
	REFUSED(SYS_rt_tgsigqueueinfo, server, server, SIGKILL, &info);
}

static void try_descriptors(long server, long group, int proc)
{
	int pair[2];
	int owner = (int)server;
	struct {
		int type;
		int pid;
	} ex = { 1, owner };

	REFUSED(SYS_pidfd_open, server, 0);
	errno = 0; /* a directory of /proc is as good as a descriptor of pidfd_open */
	refused(syscall(SYS_pidfd_send_signal, proc, SIGKILL, NULL, 0), ENOSYS, "SYS_pidfd_send_signal");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return;
	REFUSED(SYS_fcntl, pair[0], F_SETOWN, server);
	REFUSED(SYS_fcntl, pair[0], F_SETOWN, -group);
	REFUSED(SYS_fcntl, pair[0], SET_OWNER_EX, &ex);
	REFUSED(SYS_ioctl, pair[0], FIOSETOWN, &owner);
	REFUSED(SYS_ioctl, pair[0], SIOCSPGRP, &owner);
	tell(fcntl(pair[0], F_SETOWN, getpid()) == 0, "one's own signals from a descriptor");
}

static void try_memory(long server)
{
	char byte;
	const struct {
		void *base;
		size_t size;
	} here = { &byte, 1 };

	REFUSED(SYS_ptrace, 16 /* PTRACE_ATTACH */, server, 0, 0);
	REFUSED(SYS_ptrace, 0x4206 /* PTRACE_SEIZE */, server, 0, 0);
	REFUSED(SYS_process_vm_readv, server, &here, 1, &here, 1, 0);
	REFUSED(SYS_process_vm_writev, server, &here, 1, &here, 1, 0);
}

static void try_limits(long server, long group)
{
	struct rlimit limit = { 3, 3 };
	struct sched_param param = { 0 };
	struct {
		uint32_t size, policy;
		uint64_t rest[5];
	} attr = { sizeof attr, 0, { 0 } };
	unsigned long cpus = 1;

	REFUSED(SYS_prlimit64, server, RLIMIT_NOFILE, &limit, NULL);
	tell(syscall(SYS_prlimit64, getpid(), RLIMIT_NOFILE, NULL, &limit) == 0, "one's own limits");
	REFUSED(SYS_sched_setscheduler, server, SCHED_BATCH, &param);
	REFUSED(SYS_sched_setparam, server, &param);
	REFUSED(SYS_sched_setattr, server, &attr, 0);
	REFUSED(SYS_sched_setaffinity, server, sizeof cpus, &cpus);
	REFUSED(SYS_setpriority, PRIO_PROCESS, server, 19);
	REFUSED(SYS_setpriority, PRIO_PGRP, group, 19);
	REFUSED(SYS_setpriority, PRIO_PGRP, 0, 19);
	REFUSED(SYS_setpriority, PRIO_USER, 0, 19);
	tell(setpriority(PRIO_PROCESS, 0, 19) == 0, "one's own priority");
	REFUSED(SYS_ioprio_set, IO_PROCESS, server, 3 << 13);
	REFUSED(SYS_ioprio_set, IO_GROUP, group, 3 << 13);
	REFUSED(SYS_ioprio_set, IO_GROUP, 0, 3 << 13);
	REFUSED(SYS_ioprio_set, IO_USER, 0, 3 << 13);
}

#ifdef __x86_64__
static long call_i386(long nr, long a, long b, long c)
{
	long answer;

	__asm__ volatile("int $0x80" : "=a"(answer) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return answer;
}

/* In a process of its own: where the kernel has no such calls the first is its end. */
static void try_foreign(long server, long group)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer has its own */
		if (call_i386(20 /* getpid */, 0, 0, 0) != getpid())
			_exit(1);
		tell(call_i386(37 /* kill */, server, SIGKILL, 0) == -EPERM, "kill as an i386 call");
		tell(call_i386(37, 0, SIGKILL, 0) == -EPERM, "kill of the group as an i386 call");
		tell(call_i386(37, -group, SIGKILL, 0) == -EPERM, "kill of that group as an i386 call");
		tell(call_i386(37, -1, 0, 0) == -EPERM, "kill of all as an i386 call");
		tell(call_i386(238 /* tkill */, server, SIGKILL, 0) == -EPERM, "tkill as an i386 call");
		tell(call_i386(270 /* tgkill */, server, server, SIGKILL) == -EPERM,
			"tgkill as an i386 call");
		tell(call_i386(221 /* fcntl64 */, 0, F_SETOWN, server) == -EPERM,
			"fcntl64 as an i386 call");
		tell(call_i386(26 /* ptrace */, 16, server, 0) == -EPERM, "ptrace as an i386 call");
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		fprintf(report, "no i386 calls in this kernel\n");
	errno = 0;
	syscall(X32 + SYS_kill, server, SIGKILL); /* ENOSYS where there is no x32 */
	tell(errno == EPERM, "kill as an x32 call");
	errno = 0;
	syscall(X32 + 536 /* rt_tgsigqueueinfo */, server, server, SIGKILL, &status);
	tell(errno == EPERM, "rt_tgsigqueueinfo as an x32 call");
}
#else
static void try_foreign(long server, long group)
{
	(void)server;
	(void)group;
}
#endif

/* The program that stays what it is: this one, set-user-ID to somebody else. */
static void try_set_id(const char *copy)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl(copy, copy, "euid", (char *)NULL);
		_exit(1);
	}
	tell(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 33,
		"a set-user-ID program keeps its privilege");
}

static void try_ordinary(void)
{
	static const struct {
		const char *name, *script;
	} cases[] = {
		{ "a shell ends its child", "sleep 9 & kill $! && ! wait $!" },
		{ "a shell signals itself", "trap 'exit 0' TERM; kill $$; exit 1" },
		{ "a session of its own",
			"exec setsid sh -c 'sleep 9 & kill -TERM $!; wait $!; [ $? = 143 ]'" },
		{ "python: threads, children, priority",
			"command -v python3 >/dev/null || exit 0; exec python3 -c '\n"
			"import threading, subprocess, os\n"
			"t = threading.Thread(target=lambda: None); t.start(); t.join()\n"
			"p = subprocess.Popen([\"sleep\", \"9\"]); p.kill(); assert p.wait() == -9\n"
			"os.nice(1)'" },
		{ "perl: a child by its pid", "command -v perl >/dev/null || exit 0; exec perl -e '"
					      "$p = open(P, \"|-\", \"cat\"); kill(15, $p) == 1 or exit 1; "
					      "close P; exit(($? & 127) != 15)'" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		pid_t pid = fork();
		int status = -1;

		if (pid == 0) {
			close(2); /* where shells tell of children that were signalled */
			execl("/bin/sh", "sh", "-c", cases[i].script, (char *)NULL);
			_exit(1);
		}
		tell(waitpid(pid, &status, 0) == pid && status == 0, cases[i].name);
	}
}

static _Noreturn void attacker(long server, long group, const char *copy)
{
	char path[64];
	int proc;

	snprintf(path, sizeof path, "/proc/%ld", server);
	proc = open(path, O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof path, "/proc/%ld/mem", server);
	if (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == -1 || setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == -1)
		_exit(1);
	try_signals(server, group);
	try_descriptors(server, group, proc);
	try_memory(server);
	tell(open(path, O_RDWR) == -1 && errno == EACCES, "its memory in /proc is closed");
	try_limits(server, group);
	try_foreign(server, group);
	try_set_id(copy);
	try_ordinary();
	_exit(0);
}

/* Many kernels have no such calls, so what the filter says to them is computed. */
static void test_i386(void)
{
#ifdef __x86_64__
	enum { PID = 4711, PGID = 4710 };
	static const struct {
		const char *name;
		int nr;
		uint32_t arg[3];
		bool allowed;
	} cases[] = {
		{ "kill server", 37, { PID, 9 }, false },
		{ "kill own group", 37, { 0, 9 }, false },
		{ "kill server's group", 37, { -(uint32_t)PGID, 9 }, false },
		{ "kill all", 37, { UINT32_MAX, 9 }, false },
		{ "kill another", 37, { 4712, 9 }, true },
		{ "tkill server", 238, { PID, 9 }, false },
		{ "tgkill server", 270, { PID, PID, 9 }, false },
		{ "fcntl F_SETOWN server", 55, { 0, 8, PID }, false },
		{ "fcntl64 F_SETOWN server", 221, { 0, 8, PID }, false },
		{ "fcntl64 F_SETOWN another", 221, { 0, 8, 4712 }, true },
		{ "ptrace server", 26, { 16, PID }, false },
		{ "setpriority server", 97, { 0, PID, 19 }, false },
		{ "prlimit64 of server, reading", 340, { PID, 7, 0 }, true },
		{ "prlimit64 of server", 340, { PID, 7, 1 }, false },
		{ "execve", 11, { 1, 2, 3 }, true },
		{ "exit", 1, { 0 }, true },
	};
	struct sock_filter f[1024];
	const size_t count = guard_make(f, sizeof f / sizeof f[0], PID, PGID);

	tap_ok(count > 0, "a filter");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct seccomp_data data = { .nr = cases[i].nr,
			.arch = AUDIT_ARCH_I386,
			.args = { cases[i].arg[0], cases[i].arg[1], cases[i].arg[2] } };
		const uint32_t want = cases[i].allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM;

		tap_ok(bpf_run(f, count, &data, SECCOMP_RET_KILL_PROCESS) == want, cases[i].name);
	}
#endif
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* As a super-server does: in a group of its own, the guard as root, then another uid; it must outlive all. */
static _Noreturn void server(const char *copy)
{
	const int64_t began = now_ns();
	int64_t loaded;
	pid_t child;
	int status = -1;

	setpgid(0, 0);
	tell(guard_enter(getpid()) == 0, "root loads it");
	loaded = now_ns();
	fprintf(report, "loading took %ld us\n", (long)((loaded - began) / 1000));
	tell(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0, "no_new_privs stays off");
	if (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == -1 || setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == -1)
		_exit(1);
	tell(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1, "undumpable, also as somebody else");
	child = fork();
	if (child == 0)
		attacker(getppid(), getpgid(0), copy);
	tell(waitpid(child, &status, 0) == child && status == 0, "the attacker came to its end");
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	tell(kill(child, SIGTERM) == 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status),
		"the server still signals its children");
	_exit(0);
}

/* Without root, and as root in the end: undumpable in any case. */
static _Noreturn void nobody(void)
{
	if (setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == -1 && geteuid() == 0)
		_exit(1);
	errno = 0;
	if (guard_enter(getpid()) == -1)
		tell(errno == EPERM, "without root it is not loaded");
	else /* whoever started us has turned no_new_privs on: then a filter costs nothing more */
		tell(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "without root only under no_new_privs");
	tell(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0, "without root undumpable all the same");
	_exit(0);
}

static void in_child(void (*run)(void), const char *name)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run();
	tap_ok(waitpid(pid, &status, 0) == pid && status == 0, name);
	if (status != 0)
		printf("# wait status 0x%x\n", (unsigned)status);
}

static char copy[] = "/tmp/guard_test.XXXXXX";

static void run_server(void)
{
	server(copy);
}

static void run_nobody(void)
{
	nobody();
}

static bool make_copy(const char *self)
{
	char block[65536];
	ssize_t n;
	const int from = open(self, O_RDONLY), to = mkstemp(copy);
	bool good = from != -1 && to != -1;

	while (good && (n = read(from, block, sizeof block)) > 0)
		good = write(to, block, (size_t)n) == n;
	good = good && fchown(to, 33, SOMEBODY) == 0 && fchmod(to, 04755) == 0;
	close(from);
	close(to);
	return good;
}

static void read_report(void)
{
	char line[1024];

	rewind(report);
	while (fgets(line, sizeof line, report) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '+' || line[0] == '-')
			tap_ok(line[0] == '+', line + 1);
		else
			printf("# %s\n", line);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "euid") == 0)
		_exit((int)geteuid()); /* at once: a sanitizer's last look cannot be had with another uid */
	test_i386();
	report = tmpfile();
	if (report == NULL)
		return 1;
	in_child(run_nobody, "somebody without root");
	if (geteuid() != 0) {
		tap_ok(true, "the rest # SKIP needs root");
	} else {
		tap_ok(make_copy(argv[0]), "a set-user-ID copy of this test");
		in_child(run_server, "a server that outlives its attacker");
		unlink(copy);
	}
	read_report();
	return tap_end();
}
