/* sandbox_gen.c - runs while portero is built: profiles of system calls in, kernel filters as C out.
 *
 * Names, not numbers: libseccomp knows them for each architecture. A name that it does not know there is
 * an error; a name without a number there (poll on arm64) is left out. */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <linux/filter.h>
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <unistd.h>

enum { CALLS_MAX = 40 };

/* What every profile holds: it reads, writes and waits on what is open, and ends. */
static const char *const everybody[] = { "read", "write", "poll", "ppoll", "close", "exit", "exit_group",
	"clock_gettime",   /* where the vDSO does not answer */
	"restart_syscall", /* poll after SIGSTOP and SIGCONT */
	"rt_sigreturn", NULL };

static const struct profile {
	const char *name;
	const char *calls[CALLS_MAX + 1]; /* besides */
	const char *like;                 /* NULL, or one before it, whose calls it has too */
} profiles[] = {
	/* After its greeting smtpd has the connection, the log, its control files and the queue's door open:
	 * it takes the descriptors of a queue program from the broker, and waits for its end. */
	{ "smtpd", { "recvmsg", "sendto", "lseek", "wait4", "getpid" }, NULL },
	/* The same, and after each connection: says that it is done, forgets the client's pages, puts the next
	 * one on 0 and 1. It still opens nothing. */
	{ "smtpd_resident", { "sendmsg", "dup2", "dup3", "madvise" }, "smtpd" },
	/* TLS sessions (tcpserver/tls_talk.c): it has a connection, its program and the log, and reads what a stranger
	 * sends with the key in its memory; then it is handed the next one. getpid, futex, getrandom and memory are
	 * OpenSSL's. */
	{ "tls",
		{ "sendto", "recvmsg", "shutdown", "getpid", "futex", "getrandom", "brk", "mmap", "mremap",
			"munmap" },
		NULL },
	/* A policy that asks the DNS: its requests and answers, and questions by UDP and TCP. It opens no file. */
	{ "policy",
		{ "writev", "socket", "connect", "setsockopt", "fcntl", "sendto", "recvfrom", "brk", "mmap",
			"munmap", "mremap", "madvise", "gettimeofday", "time", "rt_sigaction" },
		NULL },
	/* A policy that asks a milter: smtpd on 0 and 1, the message in files in memory that are open. It connects
	 * anew for each session, by one kind of socket (see sockets). */
	{ "milter_unix", { "connect", "getsockopt", "pread64", "pwrite64", "ftruncate" }, NULL },
	{ "milter_inet", { NULL }, "milter_unix" },
	/* The queue server: it takes connections on a socket that listens, and files come and go, where Landlock lets
	 * them. futex, madvise, rseq and memory are those of its threads. */
	{ "queued",
		{ "accept4", "recvmsg", "recvfrom", "sendmsg", "sendto", "getsockopt", "shutdown",
			"epoll_ctl", "epoll_wait", "epoll_pwait", "pread64", "pwrite64", "lseek", "openat",
			"fstat", "newfstatat", "fstatfs", "getdents64", "fcntl", "fsync", "fdatasync",
			"syncfs", "sync_file_range", "renameat", "unlink", "unlinkat", "memfd_create",
			"mmap", "munmap", "mremap", "brk", "madvise", "mprotect", "rt_sigprocmask", "futex",
			"getpid", "gettid", "sched_yield" },
		NULL },
};

/* The only ones that a profile may make. */
static const struct {
	const char *profile;
	int family;
} sockets[] = {
	{ "milter_unix", AF_UNIX },
	{ "milter_inet", AF_INET },
	{ "milter_inet", AF_INET6 },
};

/* What the address sanitizer's own runtime needs on top, in builds with SANITIZE=1 only. */
static const char *const sanitizer_calls[] = {
#ifdef SANITIZED
	"mmap", "munmap", "madvise", "sigaltstack", "futex", "gettid", "sched_yield", "rt_sigaction",
#endif
	NULL
};

static _Noreturn void fail(const char *what, const char *name, int error)
{
	fprintf(stderr, "sandbox_gen: %s %s: error %d\n", what, name, error);
	exit(1);
}

static void allow(scmp_filter_ctx ctx, const char *const *calls)
{
	for (; *calls != NULL; calls++) {
		int number = seccomp_syscall_resolve_name(*calls);
		int error;

		if (number == __NR_SCMP_ERROR)
			fail("no such system call:", *calls, 0);
		if (number < 0) /* known, but not on this architecture */
			continue;
		if (strcmp(*calls, "mmap") == 0 ||
			strcmp(*calls, "mprotect") == 0) /* data only: nothing that can be run */
			error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 1,
				SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		else
			error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
		if (error != 0)
			fail("cannot allow", *calls, error);
	}
}

static void allow_sockets(scmp_filter_ctx ctx, const char *profile)
{
	for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
		const struct scmp_arg_cmp family =
			SCMP_CMP(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)sockets[i].family);

		if (strcmp(sockets[i].profile, profile) == 0 &&
			seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name("socket"),
				1, &family) != 0)
			fail("cannot allow sockets of", profile, 0);
	}
}

static void allow_all(scmp_filter_ctx ctx, const struct profile *p)
{
	allow(ctx, p->calls);
	for (size_t i = 0; p->like != NULL && i < sizeof profiles / sizeof profiles[0]; i++)
		if (strcmp(profiles[i].name, p->like) == 0)
			allow(ctx, profiles[i].calls);
}

static scmp_filter_ctx build(const struct profile *p)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (ctx == NULL || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0)
		fail("cannot make a filter for", p->name, 0);
	allow(ctx, everybody);
	allow_all(ctx, p);
	allow(ctx, sanitizer_calls);
	allow_sockets(ctx, p->name);
	return ctx;
}

/* ---- the guard: everything is allowed but what acts on the server (base/guard.h) -------------------- */

/* Stand for numbers that are known when the server runs: guard.c puts those in their place. */
enum { GUARD_PID = 0x70644950, GUARD_GROUP = 0x67724f55, GUARD_MINUS_GROUP = 0x6d477250 };

/* Of headers of the kernel that do not go together with those of the C library: fcntl.h, resource.h, ioprio.h. */
enum { SET_OWNER_EX = 15 };
enum { PROCESS = 0, GROUP = 1, USER = 2, IO_PROCESS = 1, IO_GROUP = 2, IO_USER = 3 };

/* A call is refused when all of its conditions hold. Only the lower half of an argument counts: the kernel
 * reads pids and commands as 32 bits, so a set bit above them must not hide a number. */
struct condition {
	enum { NONE, IS, NOT_NULL } what;
	unsigned argument;
	uint32_t value;
};

static const struct refusal {
	const char *call;
	struct condition first, second;
} refusals[] = {
	/* signals, to it alone, to the caller's group (which is its group), to its group, to everybody */
	{ "kill", { IS, 0, GUARD_PID }, { 0 } },
	{ "kill", { IS, 0, 0 }, { 0 } },
	{ "kill", { IS, 0, GUARD_MINUS_GROUP }, { 0 } },
	{ "kill", { IS, 0, UINT32_MAX }, { 0 } },
	{ "tkill", { IS, 0, GUARD_PID }, { 0 } },
	{ "tgkill", { IS, 0, GUARD_PID }, { 0 } },
	{ "rt_sigqueueinfo", { IS, 0, GUARD_PID }, { 0 } },
	{ "rt_tgsigqueueinfo", { IS, 0, GUARD_PID }, { 0 } },
	{ "pidfd_open", { IS, 0, GUARD_PID }, { 0 } },
	/* signals that a descriptor sends when it is ready: F_SETSIG makes them any signal. What takes its pid
	 * from memory, where no filter can look, goes altogether */
	{ "fcntl", { IS, 1, F_SETOWN }, { IS, 2, GUARD_PID } },
	{ "fcntl", { IS, 1, F_SETOWN }, { IS, 2, GUARD_MINUS_GROUP } },
	{ "fcntl", { IS, 1, SET_OWNER_EX }, { 0 } },
	{ "fcntl64", { IS, 1, F_SETOWN }, { IS, 2, GUARD_PID } },
	{ "fcntl64", { IS, 1, F_SETOWN }, { IS, 2, GUARD_MINUS_GROUP } },
	{ "fcntl64", { IS, 1, SET_OWNER_EX }, { 0 } },
	{ "ioctl", { IS, 1, FIOSETOWN }, { 0 } },
	{ "ioctl", { IS, 1, SIOCSPGRP }, { 0 } },
	/* its memory */
	{ "ptrace", { IS, 1, GUARD_PID }, { 0 } },
	{ "process_vm_readv", { IS, 0, GUARD_PID }, { 0 } },
	{ "process_vm_writev", { IS, 0, GUARD_PID }, { 0 } },
	/* its share of the machine */
	{ "prlimit64", { IS, 0, GUARD_PID }, { NOT_NULL, 2, 0 } },
	{ "sched_setscheduler", { IS, 0, GUARD_PID }, { 0 } },
	{ "sched_setparam", { IS, 0, GUARD_PID }, { 0 } },
	{ "sched_setattr", { IS, 0, GUARD_PID }, { 0 } },
	{ "sched_setaffinity", { IS, 0, GUARD_PID }, { 0 } },
	{ "setpriority", { IS, 0, PROCESS }, { IS, 1, GUARD_PID } },
	{ "setpriority", { IS, 0, GROUP }, { IS, 1, GUARD_GROUP } },
	{ "setpriority", { IS, 0, GROUP }, { IS, 1, 0 } },
	{ "setpriority", { IS, 0, USER }, { 0 } },
	{ "ioprio_set", { IS, 0, IO_PROCESS }, { IS, 1, GUARD_PID } },
	{ "ioprio_set", { IS, 0, IO_GROUP }, { IS, 1, GUARD_GROUP } },
	{ "ioprio_set", { IS, 0, IO_GROUP }, { IS, 1, 0 } },
	{ "ioprio_set", { IS, 0, IO_USER }, { 0 } },
};

/* Names its process by a descriptor, and SO_PEERPIDFD gives the server's on every socket that it made. For
 * programs this is a kernel before 5.1, where they fall back to kill. */
static const struct refusal by_descriptor = { "pidfd_send_signal", { 0 }, { 0 } };

/* Programs of another word size stay what they are, and under the same rules. */
static const uint32_t relatives[][2] = {
	{ SCMP_ARCH_X86_64, SCMP_ARCH_X86 },
	{ SCMP_ARCH_X86_64, SCMP_ARCH_X32 },
	{ SCMP_ARCH_AARCH64, SCMP_ARCH_ARM },
};

static unsigned add(struct scmp_arg_cmp *to, const struct condition *c)
{
	if (c->what == NONE)
		return 0;
	*to = c->what == IS ? SCMP_CMP(c->argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, c->value)
			    : SCMP_CMP(c->argument, SCMP_CMP_NE, 0);
	return 1;
}

static void refuse(scmp_filter_ctx ctx, const struct refusal *r, unsigned answer)
{
	const int number = seccomp_syscall_resolve_name(r->call); /* negative: one of a relative only */
	struct scmp_arg_cmp when[2];
	unsigned count = 0;
	int error;

	if (number == __NR_SCMP_ERROR)
		fail("no such system call:", r->call, 0);
	count += add(&when[count], &r->first);
	count += add(&when[count], &r->second);
	error = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(answer), number, count, when);
	if (error != 0)
		fail("cannot refuse", r->call, error);
}

static scmp_filter_ctx build_guard(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (ctx == NULL || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) != 0)
		fail("cannot make a filter for", "guard", 0);
	for (size_t i = 0; i < sizeof relatives / sizeof relatives[0]; i++)
		if (relatives[i][0] == seccomp_arch_native() && seccomp_arch_add(ctx, relatives[i][1]) != 0)
			fail("cannot add the architectures of", "guard", 0);
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		refuse(ctx, &refusals[i], EPERM);
	refuse(ctx, &by_descriptor, ENOSYS);
	return ctx;
}

/* ---- out ------------------------------------------------------------------------------------------- */

static void emit(const char *name, scmp_filter_ctx ctx)
{
	struct sock_filter f;
	FILE *bpf = tmpfile();

	if (bpf == NULL || seccomp_export_bpf(ctx, fileno(bpf)) != 0)
		fail("cannot export", name, errno);
	rewind(bpf);
	printf("static const struct sock_filter %s_filter[] = {\n", name);
	while (fread(&f, sizeof f, 1, bpf) == 1)
		printf("\t{ 0x%x, %u, %u, 0x%x },\n", f.code, f.jt, f.jf, f.k);
	printf("};\n");
	fclose(bpf);
	seccomp_release(ctx);
}

int main(void)
{
	printf("/* Made by sandbox_gen.c: do not edit. */\n");
	for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
		emit(profiles[i].name, build(&profiles[i]));
	printf("enum { GUARD_PID = %d, GUARD_GROUP = %d, GUARD_MINUS_GROUP = %d };\n", GUARD_PID,
		GUARD_GROUP, GUARD_MINUS_GROUP);
	emit("guard", build_guard());
	return 0;
}
