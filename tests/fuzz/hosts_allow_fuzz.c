/* hosts.allow: what is printed are rules that compile, each with an address that can match, and they give every
 * client the answer of the lines, asked in their order; what is refused prints nothing. Behind the first NUL of
 * the input is hosts.deny. What is said goes to descriptor 2: run with -close_fd_mask=2. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "net/rules.h"
#include "tcprules/hosts_allow.h"
#include "tcprules/hosts_resolve.h"
#include "tcprules/rules_text.h"
#include "tests/fuzz/compiled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the rules ------------------------------------------------------------------------------------ */

/* Compiling ends the program at a bad line. */
static void check_line(const char *line, size_t n)
{
	char *memory = malloc(n + 1);
	struct rules_text t;
	struct str data;

	if (memory == NULL)
		abort();
	str_init(&data, memory, n + 1);
	if (rules_text_trim(line, n) != n || rules_text_parse(line, n, &t, &data) != NULL || !t.is_rule)
		abort();
	free(memory);
}

static void check_lines(const char *text, size_t n)
{
	const char *end = text + n;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		if (newline == NULL)
			abort();
		check_line(text, (size_t)(newline - text));
		text = newline + 1;
	}
}

static struct rules *rules_of(const char *text, size_t n)
{
	static int from = -1, to = -1;
	static char path[64];
	struct rules *r;

	if (from == -1) {
		from = memfd_create("text", 0);
		to = memfd_create("cdb", 0);
		snprintf(path, sizeof path, "/proc/self/fd/%d", to);
	}
	if (compile(from, to, text, n) > 0)
		abort();
	r = rules_open(path);
	if (r == NULL || rules_refresh(r) == -1)
		abort();
	return r;
}

/* ---- what the lines say, for one client after the other: hosts_access(5) ---------------------------- */

struct client {
	struct addr a;
	const char *name; /* NULL: unknown */
};

static bool name_ends(const char *name, const char *end)
{
	const size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

static bool pattern_matches(const struct hosts_pattern *p, const struct client *c)
{
	switch (p->kind) {
	case HOSTS_ALL:
		return true;
	case HOSTS_KNOWN:
		return c->name != NULL;
	case HOSTS_UNKNOWN:
		return c->name == NULL;
	case HOSTS_LOCAL:
		return c->name != NULL && strchr(c->name, '.') == NULL;
	case HOSTS_NAME:
		return c->name != NULL && strcmp(c->name, p->name) == 0;
	case HOSTS_SUFFIX:
		return c->name != NULL && name_ends(c->name, p->name);
	case HOSTS_NET:
		return addr_is_v4(&c->a) == p->net.is_v4 &&
		       addr_prefix_equal(&c->a, &p->net.base, p->net.bits);
	case HOSTS_NEVER:
		break;
	}
	return false;
}

/* Those of this level do, and the list behind the next EXCEPT does not: from the last list to the first. */
static bool line_matches(const struct hosts_allow *h, const struct hosts_line *l, const struct client *c)
{
	bool matches = false;

	for (unsigned level = l->levels; level-- > 0;) {
		bool hit = false;

		for (size_t i = l->first; i < l->first + l->count; i++)
			hit = hit || (h->pattern[i].level == level && pattern_matches(&h->pattern[i], c));
		matches = hit && !matches;
	}
	return matches;
}

static const char *wanted(const struct hosts_allow *h, const struct client *c)
{
	for (size_t i = 0; i < h->lines; i++)
		if (line_matches(h, &h->line[i], c))
			return h->line[i].verdict;
	return "allow";
}

/* The verdict of a line and the one of the rules, variables and all. */
static void check_answer(const struct rules_verdict *v, const char *verdict)
{
	char line[HOSTS_ALLOW_LINE * 3], memory[HOSTS_ALLOW_LINE * 3];
	const int n = snprintf(line, sizeof line, ":%s", verdict);
	struct rules_text t;
	struct str data;
	size_t skip;

	str_init(&data, memory, sizeof memory);
	if (rules_text_parse(line, (size_t)n, &t, &data) != NULL)
		abort();
	skip = data.len > 0 && data.s[0] == 'D' ? 2 : 0;
	if (!v->found || v->deny != (skip > 0) || (size_t)(v->end - v->next) != data.len - skip ||
		memcmp(v->next, data.s + skip, data.len - skip) != 0)
		abort();
}

/* ---- clients -------------------------------------------------------------------------------------- */

enum { PICKED = 4, ADDRESSES = 2 + 4 * PICKED, NAMES = 3 + 3 * PICKED, NAME = HOSTS_ALLOW_LINE + 8 };

struct clients {
	struct addr address[ADDRESSES];
	size_t addresses;
	char name[NAMES][NAME];
	size_t names;
};

static void step(struct addr *a, int by)
{
	for (int i = 15; i >= 0; i--) {
		const unsigned char before = a->byte[i];

		a->byte[i] = (unsigned char)(before + by);
		if (by > 0 ? before != 0xff : before != 0)
			break;
	}
}

/* Its first and last address, and those beside them. */
static void add_edges(struct clients *c, const struct hosts_net *net)
{
	struct addr *a = &c->address[c->addresses];

	if (c->addresses + 4 > ADDRESSES)
		return;
	a[0] = a[1] = a[2] = net->base;
	step(&a[1], -1);
	for (unsigned i = net->bits; i < ADDR_BITS; i++)
		a[2].byte[i / 8] = (unsigned char)(a[2].byte[i / 8] | 0x80 >> i % 8);
	a[3] = a[2];
	step(&a[3], 1);
	c->addresses += 4;
}

/* No name begins with a dot: it would be asked for before networks are, as the suffix that it is. */
static void add_name(struct clients *c, const char *begin, const char *end)
{
	if (c->names < NAMES && begin[0] != '.' && (begin[0] != '\0' || end[0] != '.'))
		snprintf(c->name[c->names++], NAME, "%s%s", begin, end);
}

static void collect(struct clients *c, const struct hosts_allow *h, size_t start)
{
	c->addresses = c->names = 0;
	if (addr_parse("127.0.0.1", &c->address[c->addresses++]) != NULL ||
		addr_parse("2001:db8::1", &c->address[c->addresses++]) != NULL)
		abort();
	add_name(c, "plain", "");
	add_name(c, "un.heard", ".of");
	for (size_t i = 0; i < h->patterns; i++) {
		const struct hosts_pattern *p = &h->pattern[(start + i) % h->patterns];

		if (p->kind == HOSTS_NET)
			add_edges(c, &p->net);
		else if (p->name != NULL) {
			add_name(c, "", p->name + (p->kind == HOSTS_SUFFIX));
			add_name(c, "x", p->name);
			add_name(c, "x.y", p->name);
		}
	}
}

static void ask(const struct hosts_allow *h, struct rules *r, const struct client *c)
{
	char ip[ADDR_TEXT];
	const struct rules_client who = { .ip = ip, .host = c->name };
	struct rules_verdict v;

	addr_format(&c->a, ip);
	if (rules_find(r, &who, &v) == -1)
		abort();
	check_answer(&v, wanted(h, c));
}

static void ask_all(const struct hosts_allow *h, struct rules *r, size_t start)
{
	static struct clients all;

	collect(&all, h, start);
	for (size_t i = 0; i < all.addresses; i++) {
		ask(h, r, &(struct client){ all.address[i], NULL });
		for (size_t k = 0; k < all.names; k++)
			if (all.name[k][0] != '\0')
				ask(h, r, &(struct client){ all.address[i], all.name[k] });
	}
}

/* ---- both files ----------------------------------------------------------------------------------- */

static void read_part(struct hosts_allow *h, const char *text, size_t n, const char *verdict)
{
	FILE *f = fmemopen((void *)text, n, "r");

	if (f == NULL || hosts_allow_read(h, f, NULL, verdict) == -1)
		abort();
	fclose(f);
}

static void check_pattern(const struct hosts_pattern *p)
{
	struct addr base = p->net.base;

	if (((p->kind == HOSTS_NAME || p->kind == HOSTS_SUFFIX) &&
		    (p->name == NULL || p->name[0] == '\0')) ||
		(p->kind == HOSTS_SUFFIX && p->name[0] != '.'))
		abort();
	if (p->kind != HOSTS_NET)
		return;
	addr_mask(&base, p->net.bits);
	if (p->net.bits > ADDR_BITS || !addr_equal(&base, &p->net.base) ||
		(p->net.is_v4 && (p->net.bits < ADDR_V4_BITS || !addr_is_v4(&base))))
		abort();
}

static void resolve(struct hosts_allow *h, size_t start)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	struct rules *r;

	if (out == NULL)
		abort();
	for (size_t i = 0; i < h->patterns; i++)
		check_pattern(&h->pattern[i]);
	hosts_resolve(h, out);
	fclose(out);
	if ((h->refused == 0) != (n > 0))
		abort();
	if (n > 0) {
		check_lines(text, n);
		r = rules_of(text, n);
		ask_all(h, r, start);
		rules_close(r);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *nul = memchr(text, '\0', size);
	const size_t n = nul == NULL ? size : (size_t)(nul - text);
	struct hosts_allow h;

	hosts_allow_init(&h, "d");
	read_part(&h, text, n, "allow");
	if (nul != NULL)
		read_part(&h, nul + 1, size - n - 1, "deny");
	if (h.refused == 0)
		resolve(&h, size);
	hosts_allow_free(&h);
	return 0;
}
