/* Control files, as people write them. */
#include "mail/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tap.h"

static int dir;

static void put(const char *name, const char *text, size_t n)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, text, n) != (ssize_t)n || close(fd) == -1)
		tap_ok(false, "a file can be written");
}

static void test_lines(void)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = { { "a\n", "a" }, { "a", "a" }, { "a \t\r\nb\n", "a" }, { " a b \n", " a b" },
		{ "", "" }, { "\n", "" }, { "# no comment here\n", "# no comment here" } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *line = NULL;

		put("f", cases[i].text, strlen(cases[i].text));
		tap_ok(control_line(dir, "f", &line) == CONTROL_READ && strcmp(line, cases[i].want) == 0,
			cases[i].want);
	}
}

static void test_numbers(void)
{
	unsigned long n = 7;

	put("f", "20 s\n", 5);
	tap_ok(control_number(dir, "f", &n) == CONTROL_READ && n == 20, "leading digits");
	n = 7;
	put("f", "x\n", 2);
	tap_ok(control_number(dir, "f", &n) == CONTROL_MISSING, "no digits: as if it were not there");
	put("f", "", 0);
	tap_ok(control_number(dir, "f", &n) == CONTROL_MISSING, "so is an empty file");
}

static void test_lists(void)
{
	static const char text[] = "a.example\n\n# comment\n  \n .b \r\n#\nLast";
	struct control_list list;

	put("f", text, sizeof text - 1);
	tap_ok(control_list(dir, "f", &list) == CONTROL_READ && list.bytes == sizeof "a.example\0 .b\0Last",
		"comments and empty lines are not items");
	tap_ok(control_has(&list, "A.EXAMPLE") && control_has(&list, " .b") && control_has(&list, "last"),
		"items are found without case");
	tap_ok(!control_has(&list, "example") && !control_has(&list, "") &&
			!control_has(&list, "# comment"),
		"parts of items are not");
	put("f", "", 0);
	tap_ok(control_list(dir, "f", &list) == CONTROL_READ && !control_has(&list, ""), "an empty list");
	put("f", "a\0b\nc", 5);
	tap_ok(control_list(dir, "f", &list) == CONTROL_READ && control_has(&list, "a") &&
			control_has(&list, "c"),
		"a NUL ends an item, and the list goes on");
}

static void test_errors(void)
{
	const char *line;

	tap_ok(control_line(dir, "nothing", &line) == CONTROL_MISSING, "a missing file");
	tap_ok(mkdirat(dir, "d", 0700) == 0 && control_line(dir, "d", &line) == CONTROL_ERROR &&
			errno == EISDIR,
		"a directory is an error");
	tap_ok(symlinkat("loop", dir, "loop") == 0 && control_line(dir, "loop", &line) == CONTROL_ERROR,
		"so is what cannot be opened");
	tap_ok(mkfifoat(dir, "fifo", 0600) == 0 && control_line(dir, "fifo", &line) == CONTROL_ERROR,
		"a FIFO does not hold us");
}

int main(void)
{
	int code;
	char path[] = "/tmp/control_test.XXXXXX";
	static const char *const made[] = { "f", "loop", "fifo" };

	if (mkdtemp(path) == NULL)
		return 1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return 1;
	test_lines();
	test_numbers();
	test_lists();
	test_errors();
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		unlinkat(dir, made[i], 0);
	unlinkat(dir, "d", AT_REMOVEDIR);
	rmdir(path);
	code = tap_end();
	fflush(stdout);
	_exit(code); /* what control_* gives out lives as long as the process, so a leak checker would find it */
}
