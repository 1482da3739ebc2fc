#include "smtpd/fresh.h"

#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/house.h"
#include "base/str.h"

enum {
	PATH_BYTES = 4096,
	FILES_MAX = 1000, /* in a control directory, ours or not */
	MOVES = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF,
	CHANGES = MOVES | IN_MODIFY | IN_ATTRIB
};

static int watch(int fd, const char *path, unsigned what)
{
	return inotify_add_watch(fd, path, what | IN_MASK_ADD);
}

/* What happens to a file is told by its directory, but not when it has another name too or is a link. */
static int watch_files(int fd, struct str *path)
{
	DIR *dir = opendir(path->s);
	const size_t len = path->len;
	const struct dirent *entry;
	int count = 0;

	if (dir == NULL)
		return -1;
	while (count < FILES_MAX && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		path->len = len;
		str_putc(path, '/');
		str_puts(path, entry->d_name);
		if (path->full || (watch(fd, path->s, CHANGES) == -1 && errno != ENOENT && errno != EACCES))
			break;
		count++;
	}
	closedir(dir);
	return entry == NULL ? 0 : -1;
}

static int watch_controls(struct fresh *f)
{
	char memory[PATH_BYTES];
	struct str path;

	str_init(&path, memory, sizeof memory);
	str_puts(&path, house_home());
	if (watch(f->files, path.s, MOVES | IN_DONT_FOLLOW) == -1)
		return -1;
	f->home = watch(f->files, path.s, MOVES);
	str_puts(&path, "/control");
	if (f->home == -1 || path.full || watch(f->files, path.s, CHANGES) == -1)
		return -1;
	return watch_files(f->files, &path);
}

static int open_addresses(void)
{
	const struct sockaddr_nl groups = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR };
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd == -1 || bind(fd, (const struct sockaddr *)&groups, sizeof groups) == 0)
		return fd;
	close(fd);
	return -1;
}

int fresh_open(struct fresh *f)
{
	f->addresses = -1;
	f->files = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (f->files == -1)
		return -1;
	if (watch_controls(f) == 0 && (f->addresses = open_addresses()) != -1)
		return 0;
	close(f->files);
	return -1;
}

/* Queue programs run in the directory above: whatever they make there is theirs. */
static bool concerns_us(const struct fresh *f, const struct inotify_event *e)
{
	return e->wd != f->home || e->len == 0 || strcmp(e->name, "control") == 0;
}

static bool files_are_same(const struct fresh *f)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t n;

	while ((n = read(f->files, events, sizeof events)) > 0)
		for (const char *at = events; at < events + n;) {
			const struct inotify_event *e = (const void *)at;

			if (concerns_us(f, e))
				return false;
			at += sizeof *e + e->len;
		}
	return n == -1 && errno == EAGAIN;
}

bool fresh_is(const struct fresh *f)
{
	struct pollfd addresses = { .fd = f->addresses, .events = POLLIN };

	return poll(&addresses, 1, 0) == 0 && files_are_same(f);
}
