/* The process that a door starts queue programs with: it can do that and nothing else. */
#include "queue/door_broker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/spawn.h"

enum { WORDS_MAX = 16, COMMAND_MAX = 1024 };

struct command {
	char text[COMMAND_MAX];
	char *words[WORDS_MAX + 1];
	const char **files;
};

static const char *parse_command(struct command *c, const char *text)
{
	size_t n = strlen(text), count = 0;
	char *rest = NULL, *word;

	if (n >= sizeof c->text)
		return "queue command is too long";
	memcpy(c->text, text, n + 1);
	for (word = strtok_r(c->text, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
		if (count == WORDS_MAX)
			return "queue command has too many words";
		c->words[count++] = word;
	}
	c->words[count] = NULL;
	if (count == 0)
		return "queue command is empty";
	c->files = spawn_search(c->words[0], getenv("PATH"));
	return c->files == NULL ? "no memory for the queue command" : NULL;
}

static void close_ends(int pipes[PIPES][2], int end)
{
	for (int i = 0; i < PIPES; i++)
		if (pipes[i][end] != -1)
			close(pipes[i][end]);
}

/* Our end is told apart from the program's by its own flags: only ours does not block. */
static int open_pipes(int pipes[PIPES][2])
{
	for (int i = 0; i < PIPES; i++) {
		int ours = i == ERRORS ? 0 : 1;

		if (pipe2(pipes[i], O_CLOEXEC) == -1 || fcntl(pipes[i][ours], F_SETFL, O_NONBLOCK) == -1)
			return -1;
	}
	return 0;
}

static int send_report(int sock, const struct report *r, const int *fds, size_t count)
{
	struct iovec iov = { .iov_base = (void *)r, .iov_len = sizeof *r };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(PIPES * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (count > 0) {
		m.msg_control = control;
		/* socklen_t or size_t: the C libraries differ */
		m.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof *fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof *fds);
		memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL) == -1 ? -1 : 0;
}

/* Runs the command once. The program holds the only reading ends and the caller the only writing ones: if
 * either dies the other sees it. */
static int broker_run(const struct command *c, char *const envp[], int sock)
{
	int pipes[PIPES][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct spawn s = { .files = c->files, .argv = c->words, .envp = envp };
	struct report r = { .error = 0 };
	int ours[PIPES], sent;

	if (open_pipes(pipes) == -1) {
		r.error = errno;
		close_ends(pipes, 0);
		close_ends(pipes, 1);
		return send_report(sock, &r, NULL, 0);
	}
	spawn_fd(&s, pipes[MESSAGE][0], 0);
	spawn_fd(&s, pipes[ENVELOPE][0], 1);
	spawn_fd(&s, pipes[ERRORS][1], OLD_ERROR_FD);
	spawn_fd(&s, pipes[ERRORS][1], ERROR_FD);
	r.pid = spawn_run(&s, &r.error);
	if (r.pid == -1)
		r.error = errno;
	ours[MESSAGE] = pipes[MESSAGE][1];
	ours[ENVELOPE] = pipes[ENVELOPE][1];
	ours[ERRORS] = pipes[ERRORS][0];
	sent = send_report(sock, &r, ours, r.error == 0 ? PIPES : 0);
	close_ends(pipes, 0);
	close_ends(pipes, 1);
	while (r.pid != -1 && waitpid(r.pid, &r.status, 0) == -1 && errno == EINTR)
		;
	if (sent == -1 || r.error != 0)
		return sent;
	return send_report(sock, &r, NULL, 0);
}

/* Our own environment with theirs in place of those. NULL: something else is among them. The caller is locked
 * and we are not: it may not set what would make the queue program run another one. */
static char **merge(struct request *q, size_t n)
{
	enum { VARS = 2 * RESIDENT_VARS };
	static char *vector[VARS + 1];
	size_t count = 0;

	if (!resident_decode(q->block, n, vector))
		return NULL;
	for (; vector[count] != NULL; count++)
		if (!resident_of_connection(vector[count]))
			return NULL;
	for (char **v = environ; *v != NULL; v++)
		if (!resident_of_connection(*v) && count < VARS)
			vector[count++] = *v;
	vector[count] = NULL;
	return vector;
}

static char **environment(struct request *q, ssize_t n)
{
	if (n == 1 && q->kind == 'r')
		return environ;
	return n > 1 && q->kind == 'e' ? merge(q, (size_t)n - 1) : NULL;
}

static _Noreturn void broker_main(const struct command *c, int sock, int null_log)
{
	static struct request q;
	char **envp;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* The connection is not ours: while we held it the client would not see its end. */
	if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 || (null_log && dup2(null, 2) == -1))
		_exit(1);
	/* Nor is what our caller keeps from its programs: its server would not see its end. */
	for (int fd = 3; fd < sock; fd++)
		if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0)
			close(fd); /* or it is not open: nothing happens */
	while ((envp = environment(&q, recv(sock, &q, sizeof q, 0))) != NULL)
		if (broker_run(c, envp, sock) == -1)
			break;
	_exit(0);
}

const char *broker_start(const char *text, int null_log, int *sock, pid_t *pid)
{
	struct command c;
	const char *wrong;
	int pair[2];

	wrong = parse_command(&c, text);
	if (wrong != NULL)
		return wrong;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return "no socket for the queue's broker";
	*pid = fork();
	if (*pid == 0) {
		close(pair[0]);
		broker_main(&c, pair[1], null_log);
	}
	close(pair[1]);
	free(c.files);
	if (*pid == -1) {
		close(pair[0]);
		return "no process for the queue's broker";
	}
	*sock = pair[0];
	return NULL;
}
