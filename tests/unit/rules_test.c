#include "net/rules.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/rules_verify.h"
#include "tests/unit/tap.h"

/* Files are made in a directory of our own below $TMPDIR. */
static char path[] = "rules.cdb";

struct record {
	const char *key;
	const char *data;
	size_t data_len;
};

#define RECORD(key, data)                   \
	{                                   \
		key, data, sizeof(data) - 1 \
	}

static void write_rules(const struct record *records, size_t count)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct rules_make *m = rules_make_open(fd);
	bool good = m != NULL;

	for (size_t i = 0; good && i < count; i++)
		good = rules_make_add(m, records[i].key, strlen(records[i].key), records[i].data,
			       records[i].data_len) == 0;
	if (!good || rules_make_finish(m) == -1)
		perror("cannot write rules");
	close(fd);
}

static void write_bytes(const void *bytes, size_t n)
{
	const int fd = open(path, O_WRONLY | O_CREAT, 0600); /* cut to nothing first, it would be synced */

	if (write(fd, bytes, n) != (ssize_t)n || ftruncate(fd, (off_t)n) == -1)
		perror("cannot write bytes");
	close(fd);
}

static size_t read_bytes(unsigned char *bytes, size_t cap)
{
	const int fd = open(path, O_RDONLY);
	const ssize_t n = read(fd, bytes, cap);

	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

enum answer { ALLOW, DENY, REFUSED };

/* What the file says now, from scratch. */
static enum answer ask(const char *ip, const char *host, const char *info, char key[64])
{
	const struct rules_client who = { ip, host, info };
	struct rules_verdict v;
	struct rules *r = rules_open(path);
	enum answer answer = REFUSED;

	key[0] = '\0';
	if (rules_refresh(r) == 0 && rules_find(r, &who, &v) == 0) {
		answer = v.deny ? DENY : ALLOW;
		snprintf(key, 64, "%s%.*s", v.found ? "" : "none", (int)v.key_len,
			v.key == NULL ? "" : v.key);
	}
	rules_close(r);
	return answer;
}

/* ---- order of look-up ------------------------------------------------------------------------------ */

static const struct {
	const char *ip, *host, *info;
	const char *keys[9]; /* all that are tried, first to last, without the empty one */
} orders[] = {
	{ "1.2.3.4", NULL, NULL, { "1.2.3.4", "1.2.3.", "1.2.", "1." } },
	{ "1.2.3.4", "a.b", NULL, { "1.2.3.4", "=a.b", "1.2.3.", "1.2.", "1.", "=.b", "=" } },
	{ "1.2.3.4", NULL, "i", { "i@1.2.3.4", "1.2.3.4", "1.2.3.", "1.2.", "1." } },
	{ "1.2.3.4", "a", "i", { "i@1.2.3.4", "i@=a", "1.2.3.4", "=a", "1.2.3.", "1.2.", "1.", "=" } },
	{ "1.2.3.4", "", "", { "@1.2.3.4", "@=", "1.2.3.4", "=", "1.2.3.", "1.2.", "1." } },
	{ "::1", ".x.y", NULL, { "::1", "=.x.y", "=.y", "=" } },
	{ "::ffff:9.8.7.6", "A.b.", NULL, { "9.8.7.6", "=a.b", "9.8.7.", "9.8.", "9.", "=.b", "=" } },
	{ "2001:DB8::0:1", NULL, NULL, { "2001:db8::1" } },
	{ "2001:DB8::0:1", NULL, NULL,
		{ "2001:db8::1", "[2001:db8::1]", "[2001:db8::]/127", "[2001:db8::]/33", "[2001:db8::]/32",
			"[2000::]/8", "[::]/0" } },
	{ "fe80::1%eth0", "a.b", "i",
		{ "i@fe80::1", "i@[fe80::1]", "i@=a.b", "fe80::1", "[fe80::1]", "=a.b", "[fe80::]/10",
			"=.b", "=" } },
	{ "::ffff:1.2.3.4", NULL, "i", { "i@1.2.3.4", "1.2.3.4", "1.2.3.", "1.2.", "1." } },
};

/* With all keys in the file, in any order, each is found once those before it are taken away. */
static void test_order(void)
{
	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		size_t count = 0;
		bool good = true;
		char key[64];

		while (count < 9 && orders[i].keys[count] != NULL)
			count++;
		for (size_t first = 0; first <= count; first++) {
			struct record records[10];
			size_t n = 0;

			records[n++] = (struct record){ "", "", 0 };
			for (size_t j = count; j > first; j--)
				records[n++] = (struct record){ orders[i].keys[j - 1], "D\0", 2 };
			write_rules(records, n);
			const enum answer got = ask(orders[i].ip, orders[i].host, orders[i].info, key);

			if (got != (first < count ? DENY : ALLOW) ||
				strcmp(key, first < count ? orders[i].keys[first] : "") != 0) {
				printf("# wanted %s, got %s\n", first < count ? orders[i].keys[first] : "",
					key);
				good = false;
			}
		}
		tap_ok(good, orders[i].ip);
	}
}

static void test_case(void)
{
	static const struct record two[] = { RECORD("=Evil.EXAMPLE.", "D\0"), RECORD("=evil.example", ""),
		RECORD("i@=X.y", "D\0"), RECORD("=Z", "") };
	static const struct record reversed[] = { RECORD("=evil.example", ""),
		RECORD("=Evil.EXAMPLE.", "D\0") };
	char key[64];

	write_rules(two, 4);
	tap_ok(ask("1.2.3.4", "evil.example", NULL, key) == DENY, "a key in capitals matches");
	tap_same(key, "=Evil.EXAMPLE.", "and is told as it stands");
	tap_ok(ask("1.2.3.4", "x.Y", "i", key) == DENY, "so does the name of info@=name");
	tap_ok(ask("1.2.3.4", "x.Y", "I", key) == ALLOW, "but info is compared with case");
	write_rules(reversed, 2);
	tap_ok(ask("1.2.3.4", "EVIL.example.", NULL, key) == ALLOW, "of two spellings the first counts");
}

static void test_variables(void)
{
	static const struct record records[] = { RECORD("1.", "+A=b\0+=\0+X Y==z\0"),
		RECORD("2.", "D\0+A=b\0") };
	const struct rules_client who = { "1.1.1.1", NULL, NULL };
	struct rules_verdict v;
	struct rules *r = rules_open(path);
	const char *want[] = { "A=b", "=", "X Y==z" };
	bool good = true;
	size_t n;

	write_rules(records, 2);
	good = rules_refresh(r) == 0 && rules_find(r, &who, &v) == 0 && v.found && !v.deny;
	for (size_t i = 0; good && i < 3; i++) {
		const char *pair = rules_variable(&v, &n);

		good = pair != NULL && strcmp(pair, want[i]) == 0 && n == strlen(pair);
	}
	tap_ok(good && rules_variable(&v, &n) == NULL, "variables one after the other");
	rules_close(r);
}

/* IPv6 rules say nothing about IPv4 clients, however the address is written. */
static void test_mapped(void)
{
	static const struct record records[] = { RECORD("[::]/0", "D\0"), RECORD("[::ffff:0:0]/96", "D\0"),
		RECORD("[::ffff:1.2.3.4]", "D\0"), RECORD("[1.2.3.4]", "D\0") };
	char key[64];

	write_rules(records, 4);
	tap_ok(ask("1.2.3.4", NULL, NULL, key) == ALLOW, "an IPv4 client");
	tap_ok(ask("::ffff:1.2.3.4", NULL, NULL, key) == ALLOW, "a mapped IPv4 client");
	tap_ok(ask("::ffff:102:304", NULL, NULL, key) == ALLOW, "in hexadecimal");
	tap_ok(ask("::fffe:102:304", NULL, NULL, key) == DENY, "an IPv6 client");
}

static void put_tried(void *arg, const char *key, size_t n, const struct rules_verdict *v)
{
	struct str *out = arg;

	str_put(out, key, n);
	str_puts(out, v == NULL ? " no, " : v->deny ? " deny" : " allow");
}

static int put_record(void *arg, const struct rules_record *r)
{
	struct str *out = arg;

	str_put(out, r->key, r->key_len);
	str_putc(out, r->data_len > 0 ? '!' : ',');
	return r->key_len == 1 ? -1 : 0;
}

static void test_trace(void)
{
	static const struct record records[] = { RECORD("", "D\0"), RECORD("[2001:db8::]/32", ""),
		RECORD("2.", ""), RECORD("", ""), RECORD("x", "+A=b\0"), RECORD("y", "") };
	const struct rules_client v4 = { "1.2.3.4", "a.example", NULL },
				  v6 = { "2001:db8:1::", NULL, NULL };
	char memory[512];
	struct str out;
	struct rules_verdict v;
	struct rules *r = rules_open(path);

	str_init(&out, memory, sizeof memory);
	write_rules(records, 6);
	tap_ok(rules_each(r, put_record, &out) == -1 && out.len == 0, "no records before the file is read");
	rules_trace(r, put_tried, &out);
	if (rules_refresh(r) == -1 || rules_find(r, &v4, &v) == -1)
		perror("rules");
	tap_same(out.s, "1.2.3.4 no, =a.example no, 1.2.3. no, 1.2. no, 1. no, =.example no, = no,  deny",
		"the keys of an IPv4 client");
	str_reset(&out);
	if (rules_find(r, &v6, &v) == -1)
		perror("rules");
	tap_same(out.s, "2001:db8:1:: no, [2001:db8::]/32 allow", "and of an IPv6 client");
	str_reset(&out);
	tap_ok(rules_each(r, put_record, &out) == -1, "a walk that is stopped");
	tap_same(out.s,
		"!"
		"[2001:db8::]/32,"
		"2.,"
		","
		"x!",
		"records in the order of the file");
	rules_close(r);
}

/* Where a cdb ends: nothing of that is written to a disk. */
static void test_size(void)
{
	const size_t large = 256 << 20, heads = 16UL * 9, slots = 16UL * 16;
	char *data = calloc(large, 1);
	const int fd = open("/dev/null", O_WRONLY);
	struct rules_make *m = rules_make_open(fd);
	int count = 0;

	while (count < 20 && rules_make_add(m, "k", 1, data, large) == 0)
		count++;
	tap_ok(count == 15 && errno == EFBIG, "4 GiB are too much");
	tap_ok(rules_make_add(m, "k", 1, data, large - 2048 - heads - slots) == -1 && errno == EFBIG,
		"to the byte");
	tap_ok(rules_make_add(m, "k", 1, data, large - 2048 - heads - slots - 1) == 0,
		"and what fits is taken");
	tap_ok(rules_make_finish(m) == 0, "and finished");
	close(fd);
	free(data);
}

/* ---- damage ---------------------------------------------------------------------------------------- */

static const struct record deny_all[] = { RECORD("10.0.0.1", "+A=b\0"), RECORD("127.0.0.1", "D\0"),
	RECORD("=x", "D\0+B=c\0"), RECORD("", "D\0") };

static void test_damage(void)
{
	static unsigned char good[4096];
	size_t size, allowed = 0, refused = 0;
	char key[64];

	write_rules(deny_all, 4);
	size = read_bytes(good, sizeof good);
	tap_ok(ask("127.0.0.1", NULL, NULL, key) == DENY && size > 2048, "the whole file denies");
	for (size_t i = 0; i < size; i++)
		for (unsigned bit = 0; bit < 9; bit++) {
			const unsigned char was = good[i];
			enum answer a;

			good[i] = (unsigned char)(was ^ (bit == 8 ? 255U : 1U << bit));
			write_bytes(good, size);
			a = ask("127.0.0.1", NULL, NULL, key);
			allowed += a == ALLOW;
			refused += a == REFUSED;
			good[i] = was;
		}
	tap_ok(allowed == 0, "no damaged byte lets anybody in");
	printf("# %zu damaged files, %zu refused\n", size * 9, refused);
	allowed = 0;
	for (size_t n = 0; n < size; n++) {
		write_bytes(good, n);
		allowed += ask("127.0.0.1", NULL, NULL, key) != REFUSED;
	}
	tap_ok(allowed == 0, "no cut file says anything");
	write_bytes(good, size);
	tap_ok(ask("127.0.0.1", NULL, NULL, key) == DENY, "mended, it denies again");
}

static int ignore(void *arg, unsigned pos, const unsigned char *key, size_t n)
{
	(void)arg;
	(void)pos;
	(void)key;
	(void)n;
	return 0;
}

static bool verifies(const unsigned char *file, size_t size)
{
	const struct rules_visit visit = { ignore, NULL };

	return rules_verify(file, size, &visit) == 0;
}

/* Many keys that share tables and home slots, so that the walks are long and go round. */
static void test_crowded(void)
{
	static unsigned char file[1 << 20];
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct rules_make *m = rules_make_open(fd);
	bool good = m != NULL;
	size_t size, last;

	for (int i = 0; good && i < 4000; i++) {
		char key[16];
		const int n = snprintf(key, sizeof key, "%d", i % 2 == 0 ? 7 : i);

		good = rules_make_add(m, key, (size_t)n, "D", 2) == 0;
	}
	if (!good || rules_make_finish(m) == -1)
		perror("cannot write rules");
	close(fd);
	size = read_bytes(file, sizeof file);
	tap_ok(verifies(file, size), "4000 records, half of them one key");
	for (last = size - 8; cdb_unpack(file + last + 4) == 0; last -= 8)
		continue;
	memset(file + last, 0, 8);
	tap_ok(!verifies(file, size), "a record without a slot is damage");
	tap_ok(!verifies(file, size - 8), "a table cut short is damage");
	tap_ok(!verifies(file, 2047), "less than the pointers is damage");
}

static void test_grammar(void)
{
	static const struct {
		struct record record;
		bool good;
	} datas[] = {
		{ RECORD("", ""), true },
		{ RECORD("", "D\0"), true },
		{ RECORD("", "D\0+A=b\0"), true },
		{ RECORD("", "+A=\0"), true },
		{ RECORD("", "D"), false },
		{ RECORD("", "D\0D\0"), false },
		{ RECORD("", "+A=b\0D\0"), false },
		{ RECORD("", "+A=b"), false },
		{ RECORD("", "+A\0"), false },
		{ RECORD("", "Dx\0"), false },
		{ RECORD("", "d\0"), false },
		{ RECORD("", "\0"), false },
		{ RECORD("", "?x\0"), false },
		{ RECORD("", "+A=b\0\0"), false },
	};
	char key[64];

	for (size_t i = 0; i < sizeof datas / sizeof datas[0]; i++) {
		write_rules(&datas[i].record, 1);
		tap_ok((ask("1.2.3.4", NULL, NULL, key) != REFUSED) == datas[i].good, "data grammar");
	}
}

/* ---- the file changes ------------------------------------------------------------------------------ */

static bool now(struct rules *r, enum answer want)
{
	const struct rules_client who = { "127.0.0.1", NULL, NULL };
	struct rules_verdict v;

	if (rules_refresh(r) == -1)
		return want == REFUSED;
	return rules_find(r, &who, &v) == 0 && v.deny == (want == DENY) && want != REFUSED;
}

static void test_refresh(void)
{
	static const struct record allow[] = { RECORD("", "") };
	struct rules *r = rules_open(path);

	unlink(path);
	tap_ok(rules_refresh(r) == -1 && errno == ENOENT, "no file is ENOENT");
	write_rules(deny_all, 4);
	tap_ok(now(r, DENY), "then there is one");
	tap_ok(now(r, DENY), "and it is not read again");
	write_rules(allow, 1);
	tap_ok(now(r, ALLOW), "written again in place");
	if (truncate(path, 2048) == -1)
		perror("truncate");
	tap_ok(now(r, REFUSED) && errno == EPROTO, "cut in place: refused, not SIGBUS");
	tap_ok(now(r, REFUSED) && errno == EPROTO, "and again");
	unlink(path);
	tap_ok(now(r, REFUSED) && errno == ENOENT, "gone");
	if (mkdir(path, 0700) == -1)
		perror("mkdir");
	tap_ok(now(r, REFUSED) && errno == EISDIR, "a directory");
	rmdir(path);
	write_bytes("", 0);
	tap_ok(now(r, REFUSED) && errno == EINVAL, "empty");
	write_rules(deny_all, 4);
	tap_ok(now(r, DENY), "whole again");
	rules_close(r);
	unlink(path);
}

int main(void)
{
	char directory[] = "/tmp/portero-rules.XXXXXX";

	if (mkdtemp(directory) == NULL || chdir(directory) == -1) {
		perror(directory);
		return 1;
	}
	test_order();
	test_case();
	test_variables();
	test_mapped();
	test_trace();
	test_size();
	test_damage();
	test_crowded();
	test_grammar();
	test_refresh();
	if (chdir("/") == -1 || rmdir(directory) == -1)
		perror(directory);
	return tap_end();
}
