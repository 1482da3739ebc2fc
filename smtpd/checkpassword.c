#include "smtpd/checkpassword.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/spawn.h"

enum { CREDENTIALS_FD = 3 };

_Noreturn void checkpassword_misused(const char *usage)
{
	_exit(fs_write_all(2, usage, strlen(usage)) == 0 ? CHECKPASSWORD_MISUSED : EXIT_TEMPORARY);
}

static size_t read_all(char *p, size_t cap)
{
	size_t have = 0;

	while (have < cap) {
		const ssize_t n = read(CREDENTIALS_FD, p + have, cap - have);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EBADF) {
			warn("descriptor 3 is closed: user and password are expected there");
			_exit(CHECKPASSWORD_MISUSED);
		}
		if (n == -1)
			die(EXIT_TEMPORARY, "unable to read descriptor 3: %s", strerror(errno));
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return have;
}

static _Noreturn void refuse(struct credentials *c, const char *why)
{
	explicit_bzero(c, sizeof *c);
	warn("descriptor 3: %s", why);
	_exit(CHECKPASSWORD_MISUSED);
}

void checkpassword_read(struct credentials *c, char **argv, const char *usage)
{
	const char *end, *password;
	size_t n;

	if (argv[0] == NULL)
		checkpassword_misused(usage);
	n = read_all(c->bytes, sizeof c->bytes);
	if (n > CHECKPASSWORD_BYTES)
		refuse(c, "more than 512 bytes");
	end = c->bytes + n;
	password = memchr(c->bytes, '\0', n);
	if (password == NULL || ++password == end ||
		memchr(password, '\0', (size_t)(end - password)) == NULL)
		refuse(c, "not a user and a password, each with a NUL behind it");
	close(CREDENTIALS_FD);
	c->user = c->bytes;
	c->password = password;
}

static const char *const *places_of(const char *program)
{
	const char *const *files = spawn_search(program, getenv("PATH"));

	if (files == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return files;
}

_Noreturn void checkpassword_run(
	struct credentials *c, char **argv, const char *user, const char *home, const char *shell)
{
	const char *const *files = places_of(argv[0]);
	struct env e;

	if (env_init(&e, environ) == -1 || env_set(&e, "USER", user) == -1 ||
		env_set(&e, "HOME", home != NULL ? home : "/") == -1 ||
		env_set(&e, "SHELL", shell != NULL ? shell : "/bin/sh") == -1)
		die(EXIT_TEMPORARY, "out of memory");
	explicit_bzero(c, sizeof *c);
	spawn_exec(files, argv, e.vector);
	die(EXIT_TEMPORARY, "unable to run %s: %s", argv[0], strerror(errno));
}

_Noreturn void checkpassword_wrong(struct credentials *c)
{
	explicit_bzero(c, sizeof *c);
	_exit(CHECKPASSWORD_WRONG);
}
