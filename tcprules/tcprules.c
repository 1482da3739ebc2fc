/* tcprules - compile rules for tcpserver from standard input into a cdb. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "net/addr.h"
#include "net/rules.h"
#include "tcprules/compile.h"
#include "tcprules/hosts_allow.h"
#include "tcprules/hosts_resolve.h"
#include "tcprules/rules_check.h"
#include "tcprules/rules_dump.h"
#include "tcprules/rules_explain.h"

static const char usage[] = "tcprules: usage: tcprules rules.cdb rules.tmp\n";

static const char help[] =
	"tcprules: usage: tcprules rules.cdb rules.tmp\n"
	"       tcprules --quiet rules.cdb rules.tmp\n"
	"       tcprules --check\n"
	"       tcprules --explain ADDRESS [NAME [INFO]]\n"
	"       tcprules --dump rules.cdb\n"
	"       tcprules --from-hosts-allow DAEMON [HOSTS.DENY]\n"
	"Compiles the rules on standard input into rules.cdb, through rules.tmp.\n"
	"  --check             say what in the rules does not do what it looks like\n"
	"  --dump              print rules.cdb as text\n"
	"  --explain           print the keys that are looked for, and the rule that counts\n"
	"  --from-hosts-allow  print rules that say what a hosts.allow says of DAEMON\n"
	"  --help              print this and exit\n"
	"  --quiet             compile without warnings\n"
	"  --version           print the version and exit\n";

/* a closed input is not an empty one: that would be a rule set that lets everybody in */
static bool has_input;

static void need_input(void)
{
	if (!has_input)
		die(EXIT_TEMPORARY, "unable to read input: %s", errtext(EBADF));
}

static _Noreturn void die_create(const char *temporary, const char *why)
{
	die(EXIT_TEMPORARY, "unable to create %s: %s", temporary, why);
}

/* A new file of our own. What lies there from an earlier run is taken away first, so that we never write
 * through a symbolic link and never into the rules that we are about to read. */
static int create(const char *temporary)
{
	struct stat there, input;
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd;

	if (lstat(temporary, &there) == 0) {
		if (fstat(0, &input) == 0 && input.st_dev == there.st_dev && input.st_ino == there.st_ino &&
			S_ISREG(there.st_mode))
			die_create(temporary, "it is the input");
		if (S_ISDIR(there.st_mode))
			die_create(temporary, errtext(EISDIR));
		if (!S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode))
			flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC; /* a device is left alone */
		else if (unlink(temporary) == -1)
			die_create(temporary, errtext(errno));
	}
	fd = open(temporary, flags, 0644);
	if (fd == -1)
		die_create(temporary, errtext(errno));
	return fd;
}

/* Compiling over the text itself leaves the rules and takes what they were made from. */
static void warn_if_input(const char *target)
{
	struct stat there, input;

	if (stat(target, &there) == 0 && fstat(0, &input) == 0 && S_ISREG(there.st_mode) &&
		input.st_dev == there.st_dev && input.st_ino == there.st_ino)
		warn("%s is the input: the text of these rules is gone now", target);
}

static int compile(const char *target, const char *temporary, bool quiet)
{
	struct rules_make *make;
	struct rules_finding_list cannot_match = { .count = 0 };
	const int fd = create(temporary);

	need_input();
	make = rules_make_open(fd);
	if (make == NULL)
		compile_die_write(temporary);
	compile_rules(0, make, temporary, &cannot_match);
	if (rules_make_finish(make) == -1 || fsync(fd) == -1 || close(fd) == -1)
		compile_die_write(temporary);
	if (!quiet) {
		rules_finding_say_all(&cannot_match);
		warn_if_input(target);
	}
	if (rename(temporary, target) == -1)
		die(EXIT_TEMPORARY, "unable to move %s to %s: %s", temporary, target, errtext(errno));
	return 0;
}

static int check(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return rules_check_text(stdin) ? 0 : EXIT_PERMANENT;
}

static int explain(int argc, char **argv)
{
	const struct rules_client who = {
		.ip = argv[0], .host = argc > 1 ? argv[1] : NULL, .info = argc > 2 ? argv[2] : NULL
	};
	struct addr a;

	if (addr_parse(who.ip, &a) != NULL || who.ip[0] == '[')
		die(EXIT_PERMANENT, "%s is not an IP address", who.ip);
	rules_explain(0, &who, stdout);
	return 0;
}

static int dump(int argc, char **argv)
{
	(void)argc;
	return rules_dump(argv[0], stdout) ? 0 : EXIT_PERMANENT;
}

static void read_hosts(struct hosts_allow *h, FILE *from, const char *name, const char *verdict)
{
	if (from == NULL || hosts_allow_read(h, from, name, verdict) == -1)
		die(EXIT_TEMPORARY, "unable to read %s: %s", name == NULL ? "input" : name, errtext(errno));
}

static int from_hosts_allow(int argc, char **argv)
{
	struct hosts_allow h;
	size_t refused;

	hosts_allow_init(&h, argv[0]);
	read_hosts(&h, stdin, NULL, "allow");
	if (argc > 1) {
		FILE *deny = fopen(argv[1], "re");

		read_hosts(&h, deny, argv[1], "deny");
		fclose(deny);
	} else {
		warn("no hosts.deny was named: who is in no line of hosts.allow is allowed");
	}
	if (h.refused == 0)
		hosts_resolve(&h, stdout);
	refused = h.refused;
	hosts_allow_free(&h);
	return refused == 0 ? 0 : EXIT_PERMANENT;
}

static const struct tool {
	const char *option;
	int least, most; /* arguments behind the option */
	bool reads_input;
	int (*run)(int argc, char **argv);
} tools[] = {
	{ "--check", 0, 0, true, check },
	{ "--dump", 1, 1, false, dump },
	{ "--explain", 1, 3, true, explain },
	{ "--from-hosts-allow", 1, 2, true, from_hosts_allow },
};

static int run_tool(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
		const struct tool *t = &tools[i];
		int code;

		if (strcmp(argv[1], t->option) != 0 || argc - 2 < t->least || argc - 2 > t->most)
			continue;
		if (t->reads_input)
			need_input();
		code = t->run(argc - 2, argv + 2);
		if (fflush(stdout) != 0)
			die(EXIT_TEMPORARY, "unable to write output: %s", errtext(errno));
		return code;
	}
	die_usage(usage);
}

int main(int argc, char **argv)
{
	err_name("tcprules");
	has_input = fcntl(0, F_GETFD) != -1;
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	err_option(argc, argv, help);
	if (argc == 4 && strcmp(argv[1], "--quiet") == 0)
		return compile(argv[2], argv[3], true);
	if (argc > 1 && strncmp(argv[1], "--", 2) == 0)
		return run_tool(argc, argv);
	if (argc < 3)
		die_usage(usage);
	return compile(argv[1], argv[2], false);
}
