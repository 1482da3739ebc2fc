/* The locks: every system call number is run through each filter, and one forbidden call is tried for real. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "tests/unit/bpf.h"
#include "tests/unit/tap.h"

enum { CALLS = 1024, ALLOWED_MAX = 20, POLICY_MAX = 25 };

#if defined(__x86_64__)
static const uint32_t native = AUDIT_ARCH_X86_64, foreign = AUDIT_ARCH_I386;
#elif defined(__aarch64__)
static const uint32_t native = AUDIT_ARCH_AARCH64, foreign = AUDIT_ARCH_ARM;
#else
#error "name this architecture here"
#endif

static bool is_allowed(const struct sock_filter *f, size_t count, int nr)
{
	const struct seccomp_data data = { .nr = nr, .arch = native };

	return bpf_run(f, count, &data, SECCOMP_RET_ALLOW) == SECCOMP_RET_ALLOW;
}

static void test_numbers(enum sandbox profile, const char *name)
{
	static const int forbidden[] = { SYS_execve, SYS_openat, SYS_socket, SYS_connect, SYS_clone,
		SYS_kill, SYS_ptrace, SYS_mprotect, SYS_setuid, SYS_unlinkat, SYS_socketpair,
		SYS_inotify_add_watch, SYS_fchdir };
	size_t count;
	const struct sock_filter *f = sandbox_filter(profile, &count);
	int allowed = 0;

	for (int nr = 0; nr < CALLS; nr++)
		allowed += is_allowed(f, count, nr);
	printf("# %s: %d system calls are left\n", name, allowed);
#ifndef __SANITIZE_ADDRESS__ /* its runtime needs some more: sandbox_gen.c */
	tap_ok(allowed > 0 && allowed <= ALLOWED_MAX, "20 system calls at most");
#endif
	for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
		const struct seccomp_data data = { .nr = forbidden[i], .arch = native };

		tap_ok(bpf_run(f, count, &data, SECCOMP_RET_ALLOW) == (SECCOMP_RET_ERRNO | EPERM),
			"a forbidden call is EPERM");
	}
	for (int nr = 0; nr < CALLS; nr++) {
		const struct seccomp_data data = { .nr = nr, .arch = foreign };

		if (bpf_run(f, count, &data, SECCOMP_RET_ALLOW) != SECCOMP_RET_KILL_PROCESS)
			tap_ok(false, "another architecture's call kills");
	}
}

/* A policy may ask the DNS, and nothing else that smtpd may not. */
static void test_policy(void)
{
	static const int forbidden[] = { SYS_execve, SYS_openat, SYS_clone, SYS_kill, SYS_ptrace,
		SYS_mprotect, SYS_setuid, SYS_unlinkat, SYS_bind, SYS_listen, SYS_accept4, SYS_sendmsg,
		SYS_recvmsg };
	size_t count;
	const struct sock_filter *f = sandbox_filter(SANDBOX_POLICY, &count);
	int allowed = 0;
	bool bad = false;

	for (int nr = 0; nr < CALLS; nr++)
		allowed += is_allowed(f, count, nr);
	printf("# policy: %d system calls are left\n", allowed);
#ifndef __SANITIZE_ADDRESS__
	tap_ok(allowed > 0 && allowed <= POLICY_MAX, "25 system calls at most");
#endif
	for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
		bad |= is_allowed(f, count, forbidden[i]);
	tap_ok(!bad && is_allowed(f, count, SYS_socket) && is_allowed(f, count, SYS_connect),
		"a policy connects, but opens, starts and serves nothing");
}

/* What a resident smtpd may do more, and nothing else. */
static void test_difference(void)
{
	static const int more[] = {
		SYS_sendmsg,
		SYS_dup3,
		SYS_madvise,
#ifdef SYS_dup2
		SYS_dup2,
#endif
	};
	size_t once_count, count;
	const struct sock_filter *once = sandbox_filter(SANDBOX_SMTPD, &once_count);
	const struct sock_filter *f = sandbox_filter(SANDBOX_SMTPD_RESIDENT, &count);
	bool only_these = true;

	for (int nr = 0; nr < CALLS; nr++) {
		bool is_more = false;

		for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
			is_more |= more[i] == nr;
		only_these &= is_allowed(f, count, nr) == (is_more || is_allowed(once, once_count, nr));
	}
	tap_ok(only_these, "a resident one has four calls more");
}

/* A session's memory may grow, and hold no code. */
static void test_code(void)
{
	size_t count;
	const struct sock_filter *f = sandbox_filter(SANDBOX_TLS, &count);
	const struct seccomp_data code = { .nr = SYS_mmap, .arch = native, .args = { 0, 4096, 7 } };
	const struct seccomp_data data = { .nr = SYS_mmap, .arch = native, .args = { 0, 4096, 3 } };

	tap_ok(bpf_run(f, count, &code, SECCOMP_RET_ALLOW) == (SECCOMP_RET_ERRNO | EPERM),
		"memory for code is EPERM");
	tap_ok(bpf_run(f, count, &data, SECCOMP_RET_ALLOW) == SECCOMP_RET_ALLOW, "memory for data is not");
}

/* May this profile make a socket of that family? */
static bool may_make(enum sandbox profile, int family)
{
	size_t count;
	const struct sock_filter *f = sandbox_filter(profile, &count);
	const struct seccomp_data data = { .nr = SYS_socket, .arch = native, .args = { (unsigned)family } };

	return bpf_run(f, count, &data, SECCOMP_RET_ALLOW) == SECCOMP_RET_ALLOW;
}

/* What asks a milter connects, by one kind of socket, and opens and starts nothing. */
static void test_milter(enum sandbox profile, bool is_unix)
{
	static const int forbidden[] = { SYS_execve, SYS_openat, SYS_bind, SYS_listen, SYS_accept4,
		SYS_clone, SYS_kill, SYS_ptrace, SYS_mprotect, SYS_sendmsg, SYS_memfd_create, SYS_dup3,
		SYS_wait4 };
	size_t count;
	const struct sock_filter *f = sandbox_filter(profile, &count);
	bool none = true;

	for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
		none &= !is_allowed(f, count, forbidden[i]);
	tap_ok(none, "what asks a milter opens and starts nothing");
	tap_ok(is_allowed(f, count, SYS_connect), "it connects");
	tap_ok(may_make(profile, AF_UNIX) == is_unix && may_make(profile, AF_INET) == !is_unix &&
			may_make(profile, AF_INET6) == !is_unix && !may_make(profile, AF_NETLINK) &&
			!may_make(profile, AF_PACKET),
		"by one kind of socket");
}

/* In a child, since nobody comes back from it. */
static int locked(enum sandbox profile)
{
	char byte;

	if (sandbox_enter(profile) == -1)
		return 1;
	if (syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY) != -1 || errno != EPERM)
		return 2;
	if (syscall(SYS_socket, 2, 1, 0) != -1 || errno != EPERM)
		return 3;
	if (syscall(SYS_kill, getppid(), 0) != -1 || errno != EPERM)
		return 4;
	if (read(-1, &byte, 1) != -1 || errno != EBADF) /* allowed: the kernel itself answers */
		return 5;
	/* of the resident one only: the kernel would close nothing, EBADF */
	if (dup2(-1, 0) != -1 || errno != (profile == SANDBOX_SMTPD_RESIDENT ? EBADF : EPERM))
		return 6;
	return 0;
}

static void test_locked(enum sandbox profile)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(locked(profile));
	tap_ok(waitpid(pid, &status, 0) == pid && status == 0,
		"a locked process reads, but opens, connects and signals no more");
}

int main(void)
{
	test_numbers(SANDBOX_SMTPD, "smtpd");
	test_numbers(SANDBOX_SMTPD_RESIDENT, "resident smtpd");
	test_numbers(SANDBOX_TLS, "a TLS session");
	test_code();
	test_policy();
	test_difference();
	test_milter(SANDBOX_MILTER_UNIX, true);
	test_milter(SANDBOX_MILTER_INET, false);
	test_locked(SANDBOX_SMTPD);
	test_locked(SANDBOX_SMTPD_RESIDENT);
	test_locked(SANDBOX_TLS);
	return tap_end();
}
