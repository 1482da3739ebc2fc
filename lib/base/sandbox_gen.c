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
#include <linux/filter.h>
#include <unistd.h>

enum { CALLS_MAX = 20 };

static const struct profile {
	const char *name;
	const char *calls[CALLS_MAX + 1];
} profiles[] = {
	/* After its greeting smtpd has the connection, the log, its control files and the queue's door open:
	 * it reads and writes, takes the descriptors of a queue program from the broker, and waits for its end. */
	{ "smtpd", { "read", "write", "poll", "ppoll", "recvmsg", "sendto", "close", "lseek", "wait4",
			   "exit", "exit_group", "clock_gettime", /* where the vDSO does not answer */
			   "restart_syscall",                     /* poll after SIGSTOP and SIGCONT */
			   "rt_sigreturn", "getpid" } },
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
		error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
		if (error != 0)
			fail("cannot allow", *calls, error);
	}
}

static scmp_filter_ctx build(const struct profile *p)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (ctx == NULL || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0)
		fail("cannot make a filter for", p->name, 0);
	allow(ctx, p->calls);
	allow(ctx, sanitizer_calls);
	return ctx;
}

static void emit(const struct profile *p)
{
	struct sock_filter f;
	scmp_filter_ctx ctx = build(p);
	FILE *bpf = tmpfile();

	if (bpf == NULL || seccomp_export_bpf(ctx, fileno(bpf)) != 0)
		fail("cannot export", p->name, errno);
	rewind(bpf);
	printf("static const struct sock_filter %s_filter[] = {\n", p->name);
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
		emit(&profiles[i]);
	return 0;
}
