#include "smtpd/policy_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/spawn.h"

static void collect(int fd, struct str *out)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) > 0 || (n == -1 && errno == EINTR))
		if (n > 0)
			str_put(out, piece, (size_t)n);
}

static int code_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	errno = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const char **files, char *const argv[], const struct env *e, int null, struct str *out)
{
	struct spawn s = { .files = files, .argv = argv, .envp = e->vector };
	int ends[2], error, code;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return -1;
	spawn_fd(&s, null, 0);
	spawn_fd(&s, ends[1], 1);
	pid = spawn_run(&s, &error);
	if (pid == -1)
		error = errno;
	close(ends[1]);
	collect(ends[0], out);
	close(ends[0]);
	code = pid == -1 ? -1 : code_of(pid);
	if (error == 0)
		return code;
	errno = error;
	return -1;
}

int policy_run(char *const argv[], const struct env *e, struct str *out)
{
	const char **files = spawn_search(argv[0], getenv("PATH"));
	const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int code = -1, error;

	if (files != NULL && null != -1)
		code = run(files, argv, e, null, out);
	error = errno;
	if (null != -1)
		close(null);
	free(files);
	errno = error;
	return code;
}

static int set(struct env *e, const char *name, const char *value)
{
	if (value[0] != '\0')
		return env_set(e, name, value);
	env_unset(e, name);
	return 0;
}

int policy_run_environment(struct env *e, const struct policy_request *q)
{
	return set(e, "TCPREMOTEIP", q->client_address) == -1 ||
			       set(e, "TCPREMOTEHOST", q->client_name) == -1 ||
			       set(e, "TCPREMOTEPORT", q->client_port) == -1 ||
			       set(e, "TCPLOCALIP", q->server_address) == -1 ||
			       set(e, "TCPLOCALPORT", q->server_port) == -1 ||
			       env_set(e, "PROTO", "TCP") == -1
		       ? -1
		       : 0;
}
