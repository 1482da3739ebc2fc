/* strike.c - runs a program, and strikes at one of its system calls: it is killed there, or the call fails, or it does only a part.
 *
 *   strike -o REPORT [-n FIRST [-r TIMES]] [-k | -e ERRNO | -s] [-c CALL,CALL...] [--] program ...
 *
 *   -n  at the FIRST of them that is counted, from 1 on; 0: at none       -r  and at those that follow: TIMES in all
 *   -k  the process is killed before the call     -e  the call is not made, and fails with this number
 *   -s  it is made with half of the bytes (read, write and their like), or with one buffer of several
 *   -c  count only these calls
 *
 * Calls of all threads are counted in the order they are made in; those of child processes are not, nor those that the
 * loader of shared libraries makes unless it is -k: it may end as it likes. REPORT: "struck CALL" for each, with -n 0
 * "call CALL" for each that was counted, and "exit CODE" or "signal NUMBER" of the process. The exit code is the program's, or 128 and
 * the signal's number, as a shell has it; 77: this machine cannot do that.
 *
 * Compiled by strike.py. strace can do much of it, but counts each thread for itself, and makes no short writes. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS_MAX = 64, THREADS_MAX = 64, CANNOT = 77 };

enum blow { BLOW_NONE, BLOW_KILL, BLOW_ERROR, BLOW_SHORT };

/* A thread that is inside a call which was struck. */
struct struck {
	pid_t tid;
	enum blow blow;
	uint64_t length; /* that it asked for */
};

struct strike {
	enum blow blow;
	long first, times, counted;
	int error;
	int calls[CALLS_MAX];
	size_t calls_count; /* 0: all */
	pid_t pid;
	uint64_t loader, loader_end; /* addresses */
	struct struck inside[THREADS_MAX];
	FILE *report;
};

static _Noreturn void cannot(const char *what)
{
	fprintf(stderr, "strike: %s: %s\n", what, strerror(errno));
	exit(CANNOT);
}

/* ptrace(2), whose third and fourth argument are numbers as often as addresses. */
static long trace(
	enum __ptrace_request what, pid_t tid, unsigned long number, const void *p, unsigned long other)
{
	return syscall(SYS_ptrace, what, tid, number, p == NULL ? other : (unsigned long)p);
}

/* ---- registers ------------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
static void set_third(struct user_regs_struct *r, uint64_t value)
{
	r->rdx = value;
}

static void set_result(struct user_regs_struct *r, int64_t value)
{
	r->rax = (uint64_t)value;
}

static void set_no_call(pid_t tid, struct user_regs_struct *r)
{
	(void)tid;
	r->orig_rax = UINT64_MAX;
}
#elif defined(__aarch64__)
static void set_third(struct user_regs_struct *r, uint64_t value)
{
	r->regs[2] = value;
}

static void set_result(struct user_regs_struct *r, int64_t value)
{
	r->regs[0] = (uint64_t)value;
}

static void set_no_call(pid_t tid, struct user_regs_struct *r)
{
	int none = -1;
	struct iovec v = { &none, sizeof none };

	(void)r;
	trace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &v, 0);
}
#else
#error "strike knows no registers of this machine"
#endif

static void get(pid_t tid, struct user_regs_struct *r)
{
	struct iovec v = { r, sizeof *r };

	if (trace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &v, 0) == -1)
		cannot("PTRACE_GETREGSET");
}

static void set(pid_t tid, struct user_regs_struct *r)
{
	struct iovec v = { r, sizeof *r };

	if (trace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &v, 0) == -1)
		cannot("PTRACE_SETREGSET");
}

/* ---- a call --------------------------------------------------------------------------------------------- */

static bool is_counted(const struct strike *s, int call)
{
	for (size_t i = 0; i < s->calls_count; i++)
		if (s->calls[i] == call)
			return true;
	return s->calls_count == 0;
}

static struct struck *inside(struct strike *s, pid_t tid)
{
	for (size_t i = 0; i < THREADS_MAX; i++)
		if (s->inside[i].tid == tid)
			return &s->inside[i];
	return NULL;
}

static void report_call(struct strike *s, const char *what, int call)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);

	fprintf(s->report, "%s %s\n", what, name == NULL ? "?" : name);
	free(name);
}

static void strike_at(struct strike *s, pid_t tid, uint64_t third)
{
	struct struck *i = inside(s, 0);
	struct user_regs_struct r = { 0 };

	if (s->blow == BLOW_KILL) {
		kill(s->pid, SIGKILL);
		return;
	}
	if (i == NULL)
		cannot("too many threads");
	*i = (struct struck){ tid, s->blow, third };
	get(tid, &r);
	if (s->blow == BLOW_ERROR)
		set_no_call(tid, &r);
	else
		set_third(&r, (third + 1) / 2);
	set(tid, &r);
}

static bool is_loader(const struct strike *s, uint64_t address)
{
	return s->blow != BLOW_KILL && address >= s->loader && address < s->loader_end;
}

/* Nothing is left to be struck. */
static bool is_over(const struct strike *s)
{
	return s->first != 0 && s->counted >= s->first + s->times;
}

static void enters(struct strike *s, pid_t tid, const struct __ptrace_syscall_info *info)
{
	const int call = (int)info->entry.nr;

	if (!is_counted(s, call) || is_loader(s, info->instruction_pointer))
		return;
	s->counted++;
	if (s->first == 0)
		report_call(s, "call", call);
	if (s->blow == BLOW_NONE || s->first == 0 || s->counted < s->first || is_over(s))
		return;
	report_call(s, "struck", call);
	strike_at(s, tid, info->entry.args[2]);
}

/* What the program sees is what a kernel would have done: the length that it asked for stands where it was. */
static void leaves(struct strike *s, pid_t tid)
{
	struct struck *i = inside(s, tid);
	struct user_regs_struct r = { 0 };

	if (i == NULL)
		return;
	get(tid, &r);
	if (i->blow == BLOW_ERROR)
		set_result(&r, -s->error);
	else
		set_third(&r, i->length);
	set(tid, &r);
	i->tid = 0;
}

static void at_call(struct strike *s, pid_t tid)
{
	struct __ptrace_syscall_info info = { 0 };

	if (trace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info, 0) == -1)
		return; /* it was killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		enters(s, tid, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		leaves(s, tid);
}

/* ---- the process ---------------------------------------------------------------------------------------- */

static int ended(struct strike *s, int status)
{
	if (WIFSIGNALED(status)) {
		fprintf(s->report, "signal %d\n", WTERMSIG(status));
		return 128 + WTERMSIG(status);
	}
	fprintf(s->report, "exit %d\n", WEXITSTATUS(status));
	return WEXITSTATUS(status);
}

/* The signal that it is to get when it goes on. */
static int stopped(struct strike *s, pid_t tid, int status)
{
	const int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		at_call(s, tid);
		return 0;
	}
	if (status >> 16 != 0) /* an event: a thread, an exec; a new thread's first stop is one too */
		return 0;
	return sig;
}

static int follow(struct strike *s)
{
	int status, sig;

	for (;;) {
		const pid_t tid = waitpid(-1, &status, __WALL);

		if (tid == -1) {
			if (errno == EINTR)
				continue;
			cannot("waitpid");
		}
		if (!WIFSTOPPED(status)) {
			if (tid == s->pid)
				return ended(s, status);
			continue;
		}
		sig = stopped(s, tid, status);
		trace(is_over(s) && inside(s, tid) == NULL ? PTRACE_CONT : PTRACE_SYSCALL, tid, 0, NULL,
			(unsigned long)sig);
	}
}

/* The loader is where the kernel says that it has put it, up to where the next file begins. */
static void find_loader(struct strike *s)
{
	char path[64], line[512], *name;
	static char loader[512];
	unsigned long entry[2];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/auxv", (int)s->pid);
	f = fopen(path, "re");
	while (f != NULL && fread(entry, sizeof entry, 1, f) == 1)
		if (entry[0] == AT_BASE)
			s->loader = entry[1];
	if (f != NULL)
		fclose(f);
	snprintf(path, sizeof path, "/proc/%d/maps", (int)s->pid);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		const unsigned long start = strtoul(line, &name, 16);
		const unsigned long end = strtoul(name + 1, NULL, 16); /* START-END ... /NAME */

		name = strchr(line, '/');
		if (name != NULL && start == s->loader)
			snprintf(loader, sizeof loader, "%s", name);
		if (name != NULL && strcmp(name, loader) == 0)
			s->loader_end = end;
	}
	if (f != NULL)
		fclose(f);
}

static int run(struct strike *s, char **argv)
{
	const long options =
		PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int ready[2], status;
	char go;

	if (pipe2(ready, O_CLOEXEC) == -1)
		cannot("pipe");
	s->pid = fork();
	if (s->pid == -1)
		cannot("fork");
	if (s->pid == 0) {
		if (read(ready[0], &go, 1) == 1)
			execvp(argv[0], argv);
		_exit(127);
	}
	if (trace(PTRACE_SEIZE, s->pid, 0, NULL, options) == -1) {
		const int e = errno;

		kill(s->pid, SIGKILL);
		waitpid(s->pid, &status, 0);
		errno = e;
		cannot("needs ptrace");
	}
	/* calls are looked at from the exec on */
	if (write(ready[1], "", 1) != 1 || waitpid(s->pid, &status, 0) != s->pid || !WIFSTOPPED(status))
		cannot(argv[0]);
	find_loader(s);
	fcntl(ready[0], F_SETFD, 0);
	close(ready[0]);
	close(ready[1]);
	trace(PTRACE_SYSCALL, s->pid, 0, NULL, 0);
	return follow(s);
}

static void take_calls(struct strike *s, char *list)
{
	for (char *p = strtok(list, ","); p != NULL && s->calls_count < CALLS_MAX; p = strtok(NULL, ",")) {
		const int call = seccomp_syscall_resolve_name(p);

		if (call >= 0) /* another machine may not have it */
			s->calls[s->calls_count++] = call;
	}
}

int main(int argc, char **argv)
{
	static struct strike s = { .times = 1 };

	for (int o; (o = getopt(argc, argv, "+o:n:r:ke:sc:")) != -1;)
		switch (o) {
		case 'o':
			s.report = fopen(optarg, "we");
			break;
		case 'n':
			s.first = strtol(optarg, NULL, 10);
			break;
		case 'r':
			s.times = strtol(optarg, NULL, 10);
			break;
		case 'k':
			s.blow = BLOW_KILL;
			break;
		case 'e':
			s.blow = BLOW_ERROR;
			s.error = (int)strtol(optarg, NULL, 10);
			break;
		case 's':
			s.blow = BLOW_SHORT;
			break;
		case 'c':
			take_calls(&s, optarg);
			break;
		default:
			return 100;
		}
	if (s.report == NULL || optind == argc) {
		fputs("strike: usage: strike -o REPORT [-n FIRST [-r TIMES]] [-k | -e ERRNO | -s] [-c "
		      "CALL,...] program ...\n",
			stderr);
		return 100;
	}
	const int code = run(&s, argv + optind);

	if (fclose(s.report) != 0)
		cannot("report");
	return code;
}
