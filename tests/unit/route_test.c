/* Where recipients go: qmail-send's rewriting, and control files that change while we run. */
#include "queue/route.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tap.h"

static int dir;

static void put(const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) == -1)
		tap_ok(false, "a file can be written");
}

static void check(const struct router *r, const char *recipient, enum route want, const char *address)
{
	char memory[ROUTE_ADDRESS], name[200];
	struct str to;

	str_init(&to, memory, sizeof memory);
	snprintf(name, sizeof name, "%s: %s %s", recipient, want == ROUTE_LOCAL ? "local" : "remote",
		address);
	if (!tap_ok(route_rewrite(&r->now.rules, recipient, &to) == want && strcmp(to.s, address) == 0,
		    name))
		printf("#   got: %s\n", to.s);
}

static void test_addresses(void)
{
	static const struct {
		const char *recipient;
		enum route want;
		const char *address;
	} cases[] = {
		/* without an '@' */
		{ "joe", ROUTE_LOCAL, "joe@host.example" },
		{ "", ROUTE_LOCAL, "@host.example" },
		/* locals: whole domains */
		{ "joe@local.example", ROUTE_LOCAL, "joe@local.example" },
		{ "Joe@LOCAL.example", ROUTE_LOCAL, "Joe@LOCAL.example" },
		{ "joe@sub.local.example", ROUTE_REMOTE, "joe@sub.local.example" },
		{ "joe@me.example", ROUTE_REMOTE, "joe@me.example" },
		{ "a@b@local.example", ROUTE_LOCAL, "a@b@local.example" },
		{ "joe@local.example.", ROUTE_REMOTE, "joe@local.example." },
		/* percenthack */
		{ "joe%local.example@hack.example", ROUTE_LOCAL, "joe@local.example" },
		{ "joe%far.example@HACK.example", ROUTE_REMOTE, "joe@far.example" },
		{ "a%b%hack.example@hack.example", ROUTE_REMOTE, "a@b" },
		{ "a%local.example%hack.example@hack.example", ROUTE_LOCAL, "a@local.example" },
		{ "joe@hack.example", ROUTE_REMOTE, "joe@hack.example" },
		{ "a%b@other.example", ROUTE_REMOTE, "a%b@other.example" },
		{ "%@hack.example", ROUTE_REMOTE, "@" },
		/* virtualdomains */
		{ "joe@virtual.example", ROUTE_LOCAL, "virt-joe@virtual.example" },
		{ "Joe@Virtual.Example", ROUTE_LOCAL, "virt-Joe@Virtual.Example" },
		{ "boss@virtual.example", ROUTE_LOCAL, "boss-boss@virtual.example" },
		{ "joe@a.wild.example", ROUTE_LOCAL, "wild-joe@a.wild.example" },
		{ "joe@b.a.wild.example", ROUTE_LOCAL, "deep-joe@b.a.wild.example" },
		{ "joe@wild.example", ROUTE_REMOTE, "joe@wild.example" },
		{ "joe@not.wild.example", ROUTE_REMOTE, "joe@not.wild.example" },
		{ "joe.wild.example@far.example", ROUTE_REMOTE, "joe.wild.example@far.example" },
		{ "joe@twice.example", ROUTE_LOCAL, "two-joe@twice.example" },
		{ "joe@nocolon.example", ROUTE_REMOTE, "joe@nocolon.example" },
		{ "joe@colons.example", ROUTE_LOCAL, "a:b-joe@colons.example" },
		{ "joe@both.example", ROUTE_LOCAL, "joe@both.example" },
		{ "joe@.dot.example", ROUTE_LOCAL, "dot-joe@.dot.example" },
		{ "joe@virtual.exampl", ROUTE_REMOTE, "joe@virtual.exampl" },
	};
	struct router r;

	put("me", "me.example\n");
	put("envnoathost", "host.example\n");
	put("locals", "# ours\nhost.example\nlocal.example\n\nboth.example \n");
	put("percenthack", "hack.example\n");
	put("virtualdomains", "virtual.example:virt\nboss@VIRTUAL.example:boss\n.wild.example:wild\n.a."
			      "wild.example:deep\n"
			      "not.wild.example:\ntwice.example:one\ntwice.example:two\nnocolon.example\n"
			      "colons.example:a:b\nboth.example:both\n.dot.example:dot\n");
	if (!tap_ok(route_open(&r, dir) == 0, "the control files are read"))
		return;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check(&r, cases[i].recipient, cases[i].want, cases[i].address);
	route_close(&r);
}

static void test_defaults(void)
{
	struct router r;

	put("virtualdomains", ":all\n");
	unlinkat(dir, "envnoathost", 0);
	if (tap_ok(route_open(&r, dir) == 0, "without envnoathost")) {
		check(&r, "joe", ROUTE_LOCAL, "all-joe@me.example");
		check(&r, "joe@far.example", ROUTE_LOCAL, "all-joe@far.example");
		route_close(&r);
	}
	unlinkat(dir, "virtualdomains", 0);
	unlinkat(dir, "percenthack", 0);
	unlinkat(dir, "locals", 0);
	if (tap_ok(route_open(&r, dir) == 0, "with me alone")) {
		check(&r, "joe", ROUTE_LOCAL, "joe@me.example");
		check(&r, "joe@local.example", ROUTE_REMOTE, "joe@local.example");
		put("locals", "");
		tap_ok(route_refresh(&r) == 0, "locals is there now, and empty");
		check(&r, "joe@me.example", ROUTE_REMOTE, "joe@me.example");
		route_close(&r);
	}
	unlinkat(dir, "me", 0);
	if (tap_ok(route_open(&r, dir) == 0, "with an empty locals alone")) {
		check(&r, "joe", ROUTE_REMOTE, "joe@envnoathost");
		route_close(&r);
	}
	unlinkat(dir, "locals", 0);
	tap_ok(route_open(&r, dir) == -1 && errno == ENOENT && strcmp(r.name, "locals") == 0,
		"neither locals nor me: it does not open");
}

static void test_length(void)
{
	static char prefix[5000], line[6000];
	char memory[ROUTE_ADDRESS];
	struct router r;
	struct str to;
	const size_t fits = ROUTE_ADDRESS - 1 - strlen("-j@v.example");

	put("me", "me.example\n");
	str_init(&to, memory, sizeof memory);
	for (size_t over = 0; over < 2; over++) {
		memset(prefix, 'p', fits + over);
		prefix[fits + over] = '\0';
		snprintf(line, sizeof line, "v.example:%s\n", prefix);
		put("virtualdomains", line);
		if (route_open(&r, dir) == -1)
			continue;
		tap_ok(route_rewrite(&r.now.rules, "j@v.example", &to) ==
				(over == 0 ? ROUTE_LOCAL : ROUTE_TOO_LONG),
			over == 0 ? "as long as fits" : "a byte longer");
		route_close(&r);
	}
	unlinkat(dir, "virtualdomains", 0);
}

/* As if it had been changed long ago, as far as our own look is concerned. */
static void settle(void)
{
	usleep(150000);
}

static void test_changes(void)
{
	struct router r;
	const char *before;

	put("me", "me.example\n");
	put("locals", "one.example\n");
	if (!tap_ok(route_open(&r, dir) == 0, "it opens"))
		return;
	put("locals", "two.example\n"); /* of the same size, at once */
	tap_ok(route_refresh(&r) == 0, "a change right after it was read");
	check(&r, "joe@two.example", ROUTE_LOCAL, "joe@two.example");
	check(&r, "joe@one.example", ROUTE_REMOTE, "joe@one.example");
	settle();
	tap_ok(route_refresh(&r) == 0, "settled: read once more");
	before = r.now.rules.locals.sorted[0].key;
	tap_ok(route_refresh(&r) == 0 && r.now.rules.locals.sorted[0].key == before,
		"what has not changed is not read");
	put("virtualdomains", "one.example:v\n");
	tap_ok(route_refresh(&r) == 0, "a new file");
	check(&r, "joe@one.example", ROUTE_LOCAL, "v-joe@one.example");
	unlinkat(dir, "locals", 0);
	tap_ok(mkdirat(dir, "locals", 0700) == 0 && route_refresh(&r) == -1 && errno == EISDIR &&
			strcmp(r.name, "locals") == 0,
		"a file that cannot be read is an error");
	check(&r, "joe@two.example", ROUTE_LOCAL, "joe@two.example");
	tap_ok(route_refresh(&r) == -1, "it stays one until it can");
	unlinkat(dir, "locals", AT_REMOVEDIR);
	tap_ok(route_refresh(&r) == 0, "then it counts");
	check(&r, "joe@two.example", ROUTE_REMOTE, "joe@two.example");
	check(&r, "joe@me.example", ROUTE_LOCAL, "joe@me.example");
	route_close(&r);
}

int main(void)
{
	char path[] = "/tmp/route_test.XXXXXX";
	static const char *const made[] = { "me", "locals", "virtualdomains", "percenthack",
		"envnoathost" };

	if (mkdtemp(path) == NULL)
		return 1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return 1;
	test_addresses();
	test_defaults();
	test_length();
	test_changes();
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		unlinkat(dir, made[i], 0);
	rmdir(path);
	close(dir);
	return tap_end();
}
