/* Random rules and clients against an evaluator that knows no cdb, no text and no keys: of each client it
 * asks every rule whether it applies, and how strong it is then. */
#include "tcprules/compile.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/addr.h"
#include "tests/unit/tap.h"

enum { FILES = 1000, CLIENTS = 100, RULES = 24 };

static uint64_t state = 20261124;

static unsigned roll(unsigned below)
{
	state = state * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(state >> 33) % below;
}

/* Few values, so that much is equal and much is one bit away. */
static unsigned char octet(void)
{
	static const unsigned char values[] = { 0, 1, 10, 10, 10, 11, 127, 128, 129, 255 };

	return values[roll(sizeof values)];
}

static struct addr random_v4(void)
{
	struct addr a = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, octet(), octet(), octet() } };

	if (roll(5) == 0)
		a.byte[12] = octet();
	return a;
}

static struct addr random_v6(void)
{
	struct addr a = { { 0x20, 0x01, 0x0d, 0xb8 } };

	for (int i = 4; i < 16; i++)
		a.byte[i] = roll(3) == 0 ? octet() : 0;
	if (roll(8) == 0)
		a.byte[0] = octet();
	return a;
}

static const char *const hosts[] = { "a.b.example", "b.example", "c.a.b.example", "x" };

struct rule {
	const char *host;
	enum kind { DOTTED, RANGE, V4_NET, V6_NET, NAME, SUFFIX, ANY_NAME, ANYBODY } kind;
	unsigned octets; /* DOTTED: how many, RANGE: with the last one */
	unsigned low, high;
	unsigned bits; /* networks, of 128 */
	struct addr a;
	bool info; /* for joe@ only */
	bool deny;
};

static struct rule random_rule(void)
{
	struct rule r = { .kind = (enum kind)(roll(40) < 36 ? roll(7) : 7), .deny = roll(2) == 0 };

	if (roll(3) == 0)
		r.kind = roll(2) == 0 ? V4_NET : V6_NET;
	r.a = r.kind == V6_NET ? random_v6() : random_v4();
	r.octets = roll(4) + 1;
	r.low = roll(130);
	r.high = r.low + roll(130);
	r.bits = r.kind == V6_NET ? (roll(4) == 0 ? 128 : roll(129)) : 96 + roll(33);
	r.host = hosts[roll(4)];
	r.info = roll(5) == 0 && ((r.kind == DOTTED && r.octets == 4) || r.kind == NAME ||
					 (r.kind == V6_NET && r.bits == 128));
	return r;
}

static void put_octets(FILE *f, const struct rule *r, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fprintf(f, i < 3 ? "%u." : "%u", r->a.byte[12 + i]);
}

/* The same network has many texts. */
static void put_net(FILE *f, const struct rule *r)
{
	char text[ADDR_TEXT];

	addr_format(&r->a, text);
	if (r->kind == V6_NET)
		fprintf(f, r->bits == 128 && (r->info || roll(2) == 0) ? "[%s]" : "[%s]/%u", text, r->bits);
	else if (roll(4) == 0)
		fprintf(f, "[::FFFF:%s]/%u", text, r->bits);
	else
		fprintf(f, "%s/%u", text, r->bits - 96);
}

static void put_rule(FILE *f, const struct rule *r, unsigned number)
{
	if (r->info)
		fputs("joe@", f);
	switch (r->kind) {
	case DOTTED:
		put_octets(f, r, r->octets);
		break;
	case RANGE:
		put_octets(f, r, r->octets - 1);
		fprintf(f, r->octets < 4 ? "%u-%u." : "%u-%u", r->low, r->high);
		break;
	case V4_NET:
	case V6_NET:
		put_net(f, r);
		break;
	case NAME:
		fprintf(f, "=%s", r->host);
		break;
	case SUFFIX:
		fprintf(f, "=.%s", r->host);
		break;
	case ANY_NAME:
		putc('=', f);
		break;
	case ANYBODY:
		break;
	}
	fprintf(f, ":%s,N=\"%u\"\n", r->deny ? "deny" : "allow", number);
}

struct client {
	struct addr a;
	const char *host;
	bool is_joe;
};

static bool under(const char *host, const char *suffix)
{
	const size_t n = strlen(host), m = strlen(suffix);

	return n > m && host[n - m - 1] == '.' && strcmp(host + n - m, suffix) == 0;
}

static bool address_applies(const struct rule *r, const struct client *c)
{
	const unsigned whole = r->kind == RANGE ? r->octets - 1 : r->octets;

	switch (r->kind) {
	case DOTTED:
		return addr_is_v4(&c->a) && memcmp(r->a.byte + 12, c->a.byte + 12, whole) == 0;
	case RANGE:
		return addr_is_v4(&c->a) && memcmp(r->a.byte + 12, c->a.byte + 12, whole) == 0 &&
		       c->a.byte[12 + whole] >= r->low && c->a.byte[12 + whole] <= r->high;
	default:
		if (addr_is_v4(&c->a) != (r->kind == V4_NET))
			return false;
		for (unsigned i = 0; i < r->bits; i++)
			if (((r->a.byte[i / 8] ^ c->a.byte[i / 8]) & 0x80 >> i % 8) != 0)
				return false;
		return true;
	}
}

static bool applies(const struct rule *r, const struct client *c)
{
	if (r->info && !c->is_joe)
		return false;
	switch (r->kind) {
	case NAME:
		return c->host != NULL && strcmp(c->host, r->host) == 0;
	case SUFFIX:
		return c->host != NULL && under(c->host, r->host);
	case ANY_NAME:
		return c->host != NULL;
	case ANYBODY:
		return true;
	default:
		return address_applies(r, c);
	}
}

/* Larger counts more: the step of the classic order first, then how much of the client is named, then what
 * is classic before what is ours, then the length. */
static unsigned strength(const struct rule *r)
{
	const bool is_net = r->kind == V4_NET || r->kind == V6_NET;
	unsigned step, size = 0;

	switch (r->kind) {
	case DOTTED:
	case RANGE:
		size = r->octets;
		step = r->info ? 9 : size == 4 ? 7 : 5;
		break;
	case V4_NET:
		size = r->bits == 96 ? 1 : (r->bits - 96 + 7) / 8;
		step = size == 4 ? 7 : 5;
		break;
	case V6_NET:
		step = r->info ? 9 : r->bits == 128 ? 7 : 5;
		break;
	case NAME:
		size = 0;
		step = r->info ? 8 : 6;
		break;
	case SUFFIX:
		size = (unsigned)strlen(r->host) + 1;
		step = 4;
		break;
	case ANY_NAME:
		step = 3;
		break;
	default:
		step = 2;
		break;
	}
	return step << 20 | size << 12 | (is_net ? 0U : 1U << 11) | (is_net ? r->bits : 0);
}

/* The number of the rule that counts, or -1. */
static int judge(const struct rule *rules, unsigned count, const struct client *c)
{
	int best = -1;

	for (unsigned i = 0; i < count; i++)
		if (applies(&rules[i], c) && (best == -1 || strength(&rules[i]) > strength(&rules[best])))
			best = (int)i;
	return best;
}

static int ask(struct rules *rules, const struct client *c, bool *deny)
{
	char ip[ADDR_TEXT + 8] = "::ffff:";
	const bool mapped = addr_is_v4(&c->a) && roll(2) == 0;
	struct rules_client who = { ip, c->host, c->is_joe ? "joe" : NULL };
	struct rules_verdict v;
	const char *pair;
	size_t n;

	addr_format(&c->a, mapped ? ip + 7 : ip);
	if (rules_find(rules, &who, &v) == -1)
		return -2;
	*deny = v.deny;
	pair = v.found ? rules_variable(&v, &n) : NULL;
	return pair == NULL ? -1 : (int)strtol(pair + 2, NULL, 10);
}

static struct client random_client(const struct rule *rules, unsigned count)
{
	struct client c = { .host = roll(3) == 0 ? hosts[roll(4)] : NULL, .is_joe = roll(4) == 0 };
	const struct rule *r = &rules[roll(count)];

	c.a = roll(3) == 0 ? random_v6() : random_v4();
	if (roll(2) == 0 && r->kind < NAME) { /* near a rule */
		c.a = r->a;
		if (roll(2) == 0)
			c.a.byte[12 + roll(4)] ^= (unsigned char)(1U << roll(8));
	}
	return c;
}

static struct rules *compile(const char *text, size_t size, char path[32])
{
	struct rules_finding_list list = { .count = 0 };
	const int input = memfd_create("text", MFD_CLOEXEC), output = memfd_create("cdb", MFD_CLOEXEC);
	struct rules_make *make = rules_make_open(output);
	struct rules *rules;

	if (make == NULL || write(input, text, size) != (ssize_t)size || lseek(input, 0, SEEK_SET) == -1)
		return NULL;
	compile_rules(input, make, "memory", &list);
	close(input);
	snprintf(path, 32, "/proc/self/fd/%d", output);
	rules = rules_make_finish(make) == 0 ? rules_open(path) : NULL;
	if (rules != NULL && rules_refresh(rules) == -1) {
		rules_close(rules);
		rules = NULL;
	}
	close(output);
	return rules;
}

static void complain(const char *text, const struct client *c, int want, int got)
{
	char ip[ADDR_TEXT];

	addr_format(&c->a, ip);
	printf("# %s %s %s: rule %d, but got %d in\n", ip, c->host == NULL ? "-" : c->host,
		c->is_joe ? "joe" : "-", want, got);
	for (unsigned n = 0; *text != '\0'; n++) {
		printf("# %u %.*s\n", n, (int)strcspn(text, "\n"), text);
		text += strcspn(text, "\n") + 1;
	}
}

static unsigned long pairs, matched, wrong;

static void test_file(void)
{
	const unsigned count = 1 + roll(RULES);
	struct rule set[RULES];
	struct rules *rules;
	char *text = NULL, path[32];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (unsigned i = 0; i < count; i++) {
		set[i] = random_rule();
		put_rule(f, &set[i], i);
	}
	fclose(f);
	rules = compile(text, size, path);
	for (unsigned i = 0; rules != NULL && i < CLIENTS; i++) {
		const struct client c = random_client(set, count);
		const int want = judge(set, count, &c);
		bool deny = false;
		const int got = ask(rules, &c, &deny);

		pairs++;
		matched += want >= 0;
		if ((got != want || deny != (want >= 0 && set[want].deny)) && wrong++ < 3)
			complain(text, &c, want, got);
	}
	rules_close(rules);
	free(text);
}

int main(void)
{
	for (int i = 0; i < FILES; i++)
		test_file();
	tap_ok(wrong == 0 && pairs == (unsigned long)FILES * CLIENTS,
		"every client gets the rule that its address says");
	printf("# %lu pairs, %lu matched, %lu wrong\n", pairs, matched, wrong);
	tap_ok(matched > pairs / 3 && matched < pairs, "and not all the same one");
	return tap_end();
}
