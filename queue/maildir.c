#include "queue/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

enum { TRIES = 3 };

static const char tmp[] = "tmp/";

int maildir_open(struct maildir *m, const char *path)
{
	*m = (struct maildir){ .fd = -1 };
	m->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return m->dir == -1 ? -1 : 0;
}

/* maildir(5): a host name's '/' and ':' are written as \057 and \072. */
static void put_host(struct str *s)
{
	struct utsname u;

	if (uname(&u) == -1)
		u.nodename[0] = '\0';
	for (const char *c = u.nodename; *c != '\0'; c++)
		if (*c == '/')
			str_puts(s, "\\057");
		else if (*c == ':')
			str_puts(s, "\\072");
		else
			str_putc(s, *c);
}

static int make_name(struct maildir *m)
{
	struct timespec now;
	struct str s;

	clock_gettime(CLOCK_REALTIME, &now);
	str_init(&s, m->name, sizeof m->name);
	str_puts(&s, tmp);
	str_putu(&s, (unsigned long)now.tv_sec);
	str_puts(&s, ".M");
	str_putu(&s, (unsigned long)now.tv_nsec / 1000);
	str_putc(&s, 'P');
	str_putu(&s, (unsigned long)getpid());
	str_putc(&s, '.');
	put_host(&s);
	if (!s.full)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

int maildir_create(struct maildir *m)
{
	for (int i = 0; i < TRIES; i++) {
		if (make_name(m) == -1)
			return -1;
		m->fd = openat(m->dir, m->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (m->fd != -1 || errno != EEXIST)
			break;
	}
	return m->fd == -1 ? -1 : 0;
}

static const char *new_name(const struct maildir *m, char *memory, size_t cap)
{
	struct str s;

	str_init(&s, memory, cap);
	str_puts(&s, "new/");
	str_puts(&s, m->name + strlen(tmp));
	return s.s;
}

int maildir_commit(struct maildir *m)
{
	char memory[sizeof m->name];
	const char *name = new_name(m, memory, sizeof memory);

	if (linkat(m->dir, m->name, m->dir, name, 0) == -1)
		return -1;
	if (fsync(m->fd) == -1) { /* never tried again: the pages are marked clean now */
		int saved = errno;

		unlinkat(m->dir, name, 0);
		errno = saved;
		return -1;
	}
	maildir_abandon(m); /* only the name in tmp/ */
	return 0;
}

void maildir_abandon(struct maildir *m)
{
	if (m->fd == -1)
		return;
	unlinkat(m->dir, m->name, 0);
	close(m->fd);
	m->fd = -1;
}
