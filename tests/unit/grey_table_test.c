#include "smtpd/grey_table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/tap.h"

static char path[] = "/tmp/grey_table.XXXXXX/table";

static void count(struct grey_entry *e, void *arg)
{
	e->last_s = ++e->good;
	*(uint32_t *)arg = e->good;
}

static uint32_t visit(struct grey_table *t, const char *name)
{
	uint32_t seen = 0;

	return grey_table_visit(t, name, strlen(name), count, &seen) == 0 ? seen : 0;
}

static void test_remembers(void)
{
	struct grey_table t, again;

	tap_ok(grey_table_open(&t, path) == 0, "a table is made");
	tap_ok(visit(&t, "a") == 1, "a name is new");
	tap_ok(visit(&t, "a") == 2, "it is known then");
	tap_ok(visit(&t, "b") == 1, "another one is not");
	tap_ok(grey_table_open(&again, path) == 0 && visit(&again, "a") == 3, "another process knows them");
	close(again.fd);
	close(t.fd);
}

static _Noreturn void visit_often(void)
{
	struct grey_table t;

	if (grey_table_open(&t, path) == -1)
		_exit(1);
	for (int i = 0; i < 500; i++)
		if (visit(&t, "all") == 0)
			_exit(1);
	_exit(0);
}

static void test_together(void)
{
	struct grey_table t;
	int status, bad = 0;

	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			visit_often();
	for (int i = 0; i < 4; i++)
		bad += wait(&status) == -1 || status != 0;
	tap_ok(grey_table_open(&t, path) == 0 && bad == 0 && visit(&t, "all") == 2001,
		"four processes lose no visit of each other");
	close(t.fd);
}

static void die_inside(struct grey_entry *e, void *arg)
{
	(void)arg;
	e->good = 99;
	raise(SIGKILL);
}

static void test_crash(void)
{
	struct grey_table t;
	const pid_t pid = fork();

	if (pid == 0) {
		if (grey_table_open(&t, path) == 0 &&
			grey_table_visit(&t, "crash", 5, die_inside, NULL) == -1)
			_exit(1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	tap_ok(grey_table_open(&t, path) == 0 && visit(&t, "crash") == 1,
		"who dies inside holds no lock and changes nothing");
	close(t.fd);
}

static void test_bounded(void)
{
	struct grey_table t;
	off_t before, after;
	char name[16];

	if (grey_table_open(&t, path) == -1)
		return;
	before = lseek(t.fd, 0, SEEK_END);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "n%d", i);
		(void)visit(&t, name);
	}
	after = lseek(t.fd, 0, SEEK_END);
	tap_ok(before == after && visit(&t, "n4999") == 2, "it does not grow");
	close(t.fd);
}

static void test_foreign(void)
{
	struct grey_table t;
	int fd;

	tap_ok(truncate(path, 1000) == 0 && grey_table_open(&t, path) == -1 && errno == EPROTO,
		"a file that was cut is refused");
	fd = open(path, O_RDWR | O_TRUNC);
	tap_ok(fd != -1 && write(fd, "my letters, dear to me, and no table\n", 37) == 37 &&
			grey_table_open(&t, path) == -1 && errno == EPROTO,
		"a file that is none of ours is left alone");
	close(fd);
}

static void test_cut_while_open(void)
{
	struct grey_table t;

	unlink(path);
	if (grey_table_open(&t, path) == -1 || truncate(path, 512) == -1)
		return;
	tap_ok(visit(&t, "a") == 0, "a file that is cut in place is an error, not a crash");
	close(t.fd);
}

int main(void)
{
	char *slash = strrchr(path, '/');

	*slash = '\0';
	if (mkdtemp(path) == NULL)
		return 1;
	*slash = '/';
	test_remembers();
	test_together();
	test_crash();
	test_bounded();
	test_foreign();
	test_cut_while_open();
	unlink(path);
	*slash = '\0';
	rmdir(path);
	return tap_end();
}
