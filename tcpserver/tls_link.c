#include "tcpserver/tls_link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/num.h"
#include "base/str.h"
#include "net/tls_wire.h"

enum { RESTART_MS = 1000, ARGUMENTS = 10, NUMBER = 24 };

static const char variable[] = "PORTERO_TLS";

/* ---- where it is --------------------------------------------------------------------------------------- */

static bool beside_us(char path[PATH_MAX], const char *tail)
{
	char self[PATH_MAX];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof self);
	const char *slash = n <= 0 ? NULL : memrchr(self, '/', (size_t)n);
	struct str s;

	if (slash == NULL)
		return false;
	str_init(&s, path, PATH_MAX);
	str_put(&s, self, (size_t)(slash - self) + 1);
	str_puts(&s, tail);
	return !s.full;
}

/* Where it was built, where it is installed, and wherever it may be. */
static pid_t run(const char **from_path, struct spawn *s, int *exec_errno)
{
	static const char *const tails[] = { "tls", "../lib/portero/tls" };
	char path[PATH_MAX];
	const char *one[] = { path, NULL };
	pid_t pid;

	for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
		s->files = one;
		if (!beside_us(path, tails[i]) || access(path, X_OK) == -1)
			continue;
		return spawn_run(s, exec_errno);
	}
	s->files = from_path;
	pid = spawn_run(s, exec_errno);
	return pid;
}

/* ---- who it is ----------------------------------------------------------------------------------------- */

struct words {
	const char *argv[ARGUMENTS];
	size_t count;
	char uid[NUMBER], gid[NUMBER];
};

static void add(struct words *w, const char *word)
{
	w->argv[w->count++] = word;
	w->argv[w->count] = NULL;
}

static void add_number(struct words *w, const char *option, char memory[NUMBER], unsigned long n)
{
	struct str s;

	str_init(&s, memory, NUMBER);
	str_putu(&s, n);
	add(w, option);
	add(w, memory);
}

static void add_user(struct words *w, unsigned long uid, unsigned long gid)
{
	add_number(w, "-u", w->uid, uid);
	add_number(w, "-g", w->gid, gid);
}

/* Who is asked for, else whom the folder belongs to, else whom the programs have. */
static void find_user(const struct config *c, struct words *w)
{
	const struct passwd *pw = c->tls_user == NULL ? NULL : getpwnam(c->tls_user);
	struct stat st;

	if (c->tls_user != NULL && pw == NULL)
		die(EXIT_PERMANENT, "--tls-user: \"%s\" is no user of this system", c->tls_user);
	if (pw != NULL)
		add_user(w, pw->pw_uid, pw->pw_gid);
	else if (stat(c->tls, &st) == 0 && st.st_uid != 0)
		add_user(w, st.st_uid, st.st_gid);
	else if (c->user.set_uid)
		add_user(w, c->user.uid, c->user.set_gid ? c->user.gid : c->user.uid);
}

static void find_words(const struct config *c, struct words *w)
{
	*w = (struct words){ .count = 0 };
	add(w, "tls");
	if (c->verbosity >= STATUS)
		add(w, "-v");
	if (geteuid() == 0)
		find_user(c, w);
	if (c->tls_client_certs)
		add(w, "--client-certs");
	add(w, c->tls);
}

/* ---- its start ----------------------------------------------------------------------------------------- */

static pid_t start(struct tls_link *l, int *exec_errno)
{
	const char **from_path = spawn_search("tls", getenv("PATH"));
	struct words w;
	struct spawn s = { .argv = (char *const *)w.argv, .envp = environ };
	int pair[2];
	pid_t pid;

	*exec_errno = 0;
	find_words(l->config, &w);
	if (from_path == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
		free(from_path);
		return -1;
	}
	spawn_fd(&s, pair[1], TLS_HELPER_FD);
	pid = run(from_path, &s, exec_errno);
	free(from_path);
	close(pair[1]);
	l->fd = pair[0];
	return pid;
}

static bool take_bequeathed(struct tls_link *l)
{
	const char *text = getenv(variable);
	unsigned long fd;

	if (text == NULL || num_parse(text, 3, INT_MAX, &fd) != NULL)
		return false;
	l->fd = (int)fd;
	unsetenv(variable);
	return fcntl(l->fd, F_SETFD, FD_CLOEXEC) == 0;
}

int tls_link_bequeath(const struct tls_link *l, bool give)
{
	char memory[NUMBER];
	struct str s;

	if (l->fd == -1)
		return 0;
	if (!give)
		return fcntl(l->fd, F_SETFD, FD_CLOEXEC) == -1 ? -1 : unsetenv(variable);
	str_init(&s, memory, sizeof memory);
	str_putu(&s, (unsigned long)l->fd);
	return fcntl(l->fd, F_SETFD, 0) == -1 ? -1 : setenv(variable, s.s, 1);
}

/* It has said why. */
static _Noreturn void end_like(pid_t helper)
{
	int status;

	if (waitpid(helper, &status, 0) == helper && WIFEXITED(status) && WEXITSTATUS(status) != 0)
		_exit(WEXITSTATUS(status));
	die(EXIT_TEMPORARY, "--tls: the helper has ended");
}

void tls_link_open(struct tls_link *l, const struct config *c)
{
	int exec_errno;
	pid_t helper;
	char word;

	*l = (struct tls_link){ .config = c, .fd = -1 };
	if (c->tls == NULL || take_bequeathed(l))
		return;
	helper = start(l, &exec_errno);
	if (helper == -1 || exec_errno != 0)
		die(EXIT_TEMPORARY, "--tls: unable to run tls: %s",
			errtext(helper == -1 ? errno : exec_errno));
	if (recv(l->fd, &word, 1, 0) != 1)
		end_like(helper);
}

void tls_link_close(struct tls_link *l)
{
	if (l->fd != -1)
		close(l->fd);
	l->fd = -1;
}

/* What is ordered before it is ready waits in the socket. */
static bool start_again(struct tls_link *l)
{
	const int64_t now = clock_ms();
	int exec_errno;

	tls_link_close(l);
	if (now < l->not_before_ms)
		return false;
	l->not_before_ms = now + RESTART_MS;
	warn("--tls: the helper has ended: it is started again");
	if (start(l, &exec_errno) != -1 && exec_errno == 0)
		return true;
	tls_link_close(l);
	return false;
}

/* ---- one session --------------------------------------------------------------------------------------- */

void tls_ends_none(struct tls_ends *ends)
{
	*ends = (struct tls_ends){ -1, -1, -1, -1 };
}

static void close_one(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void tls_ends_close(struct tls_ends *ends)
{
	close_one(&ends->control);
	close_one(&ends->plain);
	close_one(&ends->helper_control);
	close_one(&ends->helper_plain);
}

static bool make_pair(int *program, int *helper)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return false;
	*program = pair[0];
	*helper = pair[1];
	return true;
}

static bool announce(const struct tls_link *l, struct env *e)
{
	if (env_set(e, TLS_CONTROL_ENV, "4") == -1)
		return false;
	if (!l->config->tls_wrap)
		return env_set(e, TLS_READ_ENV, "5") == 0 && env_set(e, TLS_WRITE_ENV, "6") == 0;
	env_unset(e, TLS_READ_ENV);
	env_unset(e, TLS_WRITE_ENV);
	return env_set(e, "SMTPS", "1") == 0;
}

bool tls_link_begin(const struct tls_link *l, int control, struct env *e, struct tls_ends *ends)
{
	tls_ends_none(ends);
	ends->control = control;
	if ((control != -1 || (make_pair(&ends->control, &ends->helper_control) &&
				      make_pair(&ends->plain, &ends->helper_plain))) &&
		announce(l, e))
		return true;
	tls_ends_close(ends);
	return false;
}

/* In wrap mode plain text is all that the program sees. */
void tls_ends_pass(const struct tls_link *l, const struct tls_ends *ends, int connection, struct pass *p)
{
	*p = (struct pass){ .fd = { connection, ends->control, ends->plain }, .count = 1 };
	if (ends->control == -1)
		return;
	p->count = 2;
	if (!l->config->tls_wrap)
		p->count = 3;
	else if (ends->plain != -1)
		p->fd[0] = ends->plain;
}

void tls_ends_map(const struct tls_link *l, const struct tls_ends *ends, int connection, struct spawn *s)
{
	struct pass p;

	tls_ends_pass(l, ends, connection, &p);
	spawn_fd(s, p.fd[0], 0);
	spawn_fd(s, p.fd[0], 1);
	if (p.count > 1)
		spawn_fd(s, p.fd[1], TLS_CONTROL_FD);
	if (p.count > 2) {
		spawn_fd(s, p.fd[2], TLS_READ_FD);
		spawn_fd(s, p.fd[2], TLS_WRITE_FD);
	}
}

void tls_link_order(struct tls_link *l, struct tls_ends *ends, int connection, pid_t program)
{
	const struct tls_order order = { l->config->tls_wrap ? TLS_WRAP : TLS_START, program };
	const struct pass p = { .fd = { connection, ends->helper_control, ends->helper_plain },
		.count = 3 };
	char packet[TLS_ORDER];

	if (ends->helper_control != -1) {
		tls_order_write(&order, packet);
		if (pass_send(l->fd, packet, sizeof packet, &p, MSG_DONTWAIT) == -1 && errno != EAGAIN &&
			start_again(l) && pass_send(l->fd, packet, sizeof packet, &p, MSG_DONTWAIT) == -1)
			warn("no TLS for %ld: %s", (long)program, errtext(errno));
	}
	tls_ends_close(ends);
}
