#include "tcprules/hosts_resolve.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Clients of one network that are in none of the longer ones. */
struct place {
	struct hosts_net net;
	long up;          /* the next shorter network, or -1 */
	const char *rule; /* printed for it, or NULL */
};

/* Clients with one name; of a suffix those that no longer pattern has. */
enum name_kind { NAME_NONE, NAME_DOTTED, NAME_PLAIN, NAME_SUFFIX, NAME_EXACT };

struct name {
	enum name_kind kind;
	const char *text;
	const char *rule;
};

struct resolve {
	struct hosts_allow *h;
	struct place *place;
	size_t places;
	struct name *name;
	size_t names;
	long *line; /* which answers, for each place and name; -1: none */
	const char *otherwise;
};

static const char *const nobody_matched = "allow";

/* ---- hosts.allow: the first line that matches ----------------------------------------------------- */

static bool in_net(const struct hosts_net *net, const struct hosts_net *of)
{
	const unsigned bytes = of->bits / 8, rest = of->bits % 8;

	if (net->is_v4 != of->is_v4 || net->bits < of->bits)
		return false;
	if (memcmp(net->base.byte, of->base.byte, bytes) != 0)
		return false;
	return rest == 0 || ((net->base.byte[bytes] ^ of->base.byte[bytes]) & (0xff00 >> rest) & 0xff) == 0;
}

static bool ends_with(const char *text, const char *end)
{
	const size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static bool pattern_matches(const struct hosts_pattern *p, const struct place *a, const struct name *n)
{
	switch (p->kind) {
	case HOSTS_ALL:
		return true;
	case HOSTS_KNOWN:
		return n->kind != NAME_NONE;
	case HOSTS_UNKNOWN:
		return n->kind == NAME_NONE;
	case HOSTS_LOCAL:
		return n->kind == NAME_PLAIN || (n->kind == NAME_EXACT && strchr(n->text, '.') == NULL);
	case HOSTS_NAME:
		return n->kind == NAME_EXACT && strcmp(n->text, p->name) == 0;
	case HOSTS_SUFFIX:
		return (n->kind == NAME_EXACT || n->kind == NAME_SUFFIX) && ends_with(n->text, p->name);
	case HOSTS_NET:
		return in_net(&a->net, &p->net);
	case HOSTS_NEVER:
		break;
	}
	return false;
}

static bool line_matches(const struct hosts_allow *h, const struct hosts_line *l, const struct place *a,
	const struct name *n)
{
	unsigned level = 0; /* the deepest one that is reached */
	bool hit = false;

	for (size_t i = 0; i < l->count; i++) {
		const struct hosts_pattern *p = &h->pattern[l->first + i];

		if (p->level > level) {
			if (!hit || p->level > level + 1)
				break;
			level = p->level;
			hit = false;
		}
		hit = hit || pattern_matches(p, a, n);
	}
	/* what an odd number of levels agrees on is a match; the last one without a hit does not count */
	return hit ? level % 2 == 0 : level % 2 == 1;
}

static long first_line(const struct hosts_allow *h, const struct place *a, const struct name *n)
{
	for (size_t i = 0; i < h->lines; i++)
		if (line_matches(h, &h->line[i], a, n))
			return (long)i;
	return -1;
}

static long line_of(const struct resolve *r, size_t place, size_t name)
{
	return r->line[place * r->names + name];
}

static const char *wanted(const struct resolve *r, size_t place, size_t name)
{
	const long line = line_of(r, place, name);

	return line == -1 ? nobody_matched : r->h->line[line].verdict;
}

/* ---- rules: the most specific one ----------------------------------------------------------------- */

/* It becomes single addresses, and those are asked for before names are. */
static bool is_first(const struct place *a)
{
	return a->net.bits == 128 || (a->net.is_v4 && a->net.bits > 96 + 24);
}

static const char *place_rule(const struct resolve *r, size_t place, bool first)
{
	for (long i = (long)place; i != -1; i = r->place[i].up)
		if (r->place[i].rule != NULL && is_first(&r->place[i]) == first)
			return r->place[i].rule;
	return NULL;
}

static const char *suffix_rule(const struct resolve *r, const struct name *n)
{
	const struct name *best = NULL;

	if (n->kind != NAME_EXACT && n->kind != NAME_SUFFIX)
		return NULL;
	for (size_t i = 0; i < r->names; i++) {
		const struct name *s = &r->name[i];

		if (s->kind == NAME_SUFFIX && s->rule != NULL && ends_with(n->text, s->text) &&
			(best == NULL || strlen(s->text) > strlen(best->text)))
			best = s;
	}
	return best == NULL ? NULL : best->rule;
}

static const char *any_name_rule(const struct resolve *r)
{
	for (size_t i = 0; i < r->names; i++)
		if (r->name[i].kind == NAME_DOTTED)
			return r->name[i].rule;
	return NULL;
}

static const char *answer(const struct resolve *r, size_t place, size_t name)
{
	const struct name *n = &r->name[name];
	const char *rule = place_rule(r, place, true);

	if (rule == NULL && n->kind == NAME_EXACT)
		rule = n->rule;
	if (rule == NULL)
		rule = place_rule(r, place, false);
	if (rule == NULL)
		rule = suffix_rule(r, n);
	if (rule == NULL && n->kind != NAME_NONE)
		rule = any_name_rule(r);
	return rule == NULL ? r->otherwise : rule;
}

/* ---- classes -------------------------------------------------------------------------------------- */

static void *room(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (p == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return p;
}

static int by_family_address_length(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	const int order = memcmp(a->net.base.byte, b->net.base.byte, 16);

	if (a->net.is_v4 != b->net.is_v4)
		return a->net.is_v4 ? -1 : 1;
	if (order != 0)
		return order;
	return a->net.bits < b->net.bits ? -1 : a->net.bits > b->net.bits;
}

/* The first two are all of IPv4 and, somewhere behind, all of IPv6. */
static void collect_places(struct resolve *r)
{
	const struct hosts_allow *h = r->h;
	size_t n = 2, kept = 0;

	r->place = room(h->patterns + 2, sizeof *r->place);
	r->place[0].net =
		(struct hosts_net){ .base.byte = { [10] = 0xff, [11] = 0xff }, .bits = 96, .is_v4 = true };
	for (size_t i = 0; i < h->patterns; i++)
		if (h->pattern[i].kind == HOSTS_NET)
			r->place[n++].net = h->pattern[i].net;
	qsort(r->place, n, sizeof *r->place, by_family_address_length);
	for (size_t i = 0; i < n; i++) {
		long up = (long)kept - 1;

		if (kept > 0 && by_family_address_length(&r->place[i], &r->place[kept - 1]) == 0)
			continue;
		while (up != -1 && !in_net(&r->place[i].net, &r->place[up].net))
			up = r->place[up].up;
		r->place[kept] = r->place[i];
		r->place[kept++].up = up;
	}
	r->places = kept;
}

static bool has_name(const struct resolve *r, const char *text)
{
	for (size_t i = 0; i < r->names; i++)
		if (r->name[i].text != NULL && strcmp(r->name[i].text, text) == 0)
			return true;
	return false;
}

static void add_name(struct resolve *r, enum name_kind kind, const char *text)
{
	if (text == NULL || !has_name(r, text))
		r->name[r->names++] = (struct name){ .kind = kind, .text = text };
}

static void collect_names(struct resolve *r)
{
	const struct hosts_allow *h = r->h;
	bool asked = false;

	r->name = room(h->patterns + 3, sizeof *r->name);
	add_name(r, NAME_NONE, NULL);
	for (size_t i = 0; i < h->patterns; i++)
		asked = asked || (h->pattern[i].kind != HOSTS_ALL && h->pattern[i].kind != HOSTS_NET);
	if (!asked)
		return;
	add_name(r, NAME_DOTTED, NULL);
	add_name(r, NAME_PLAIN, NULL);
	for (size_t i = 0; i < h->patterns; i++)
		if (h->pattern[i].name != NULL)
			add_name(r, h->pattern[i].kind == HOSTS_NAME ? NAME_EXACT : NAME_SUFFIX,
				h->pattern[i].name);
}

static void ask_lines(struct resolve *r)
{
	r->line = room(r->places * r->names, sizeof *r->line);
	for (size_t i = 0; i < r->places; i++)
		for (size_t k = 0; k < r->names; k++)
			r->line[i * r->names + k] = first_line(r->h, &r->place[i], &r->name[k]);
}

/* ---- which rules ---------------------------------------------------------------------------------- */

/* The one answer for a network whatever the name, or NULL. A name with a rule of its own does not matter
 * to a network that is asked for after it. */
static const char *one_answer(const struct resolve *r, size_t place)
{
	const char *first = wanted(r, place, 0);

	for (size_t k = 1; k < r->names; k++)
		if ((is_first(&r->place[place]) || r->name[k].rule == NULL) &&
			strcmp(wanted(r, place, k), first) != 0)
			return NULL;
	return first;
}

/* What the network would get without a rule of its own. */
static const char *above(const struct resolve *r, size_t place)
{
	const char *first = place_rule(r, place, true);

	if (first != NULL || is_first(&r->place[place]))
		return first;
	return place_rule(r, place, false);
}

static void choose_places(struct resolve *r, bool first)
{
	for (size_t i = 0; i < r->places; i++) { /* shorter networks come before those within */
		struct place *a = &r->place[i];
		const char *rule, *without;

		if (is_first(a) != first || a->up == -1)
			continue;
		rule = one_answer(r, i);
		without = r->names == 1 ? answer(r, i, 0) : above(r, i);
		if (rule != NULL && (without == NULL || strcmp(rule, without) != 0))
			a->rule = rule;
	}
}

static void choose_exact_names(struct resolve *r)
{
	for (size_t k = 0; k < r->names; k++) {
		const char *rule = NULL;
		bool same = true;

		for (size_t i = 0; i < r->places && r->name[k].kind == NAME_EXACT; i++) {
			if (place_rule(r, i, true) != NULL)
				continue;
			same = same && (rule == NULL || strcmp(rule, wanted(r, i, k)) == 0);
			rule = wanted(r, i, k);
		}
		if (same)
			r->name[k].rule = rule;
	}
}

static size_t all_of_v6(const struct resolve *r)
{
	size_t i = 1;

	while (r->place[i].up != -1)
		i++;
	return i;
}

static void choose(struct resolve *r)
{
	const size_t v6 = all_of_v6(r);

	r->otherwise = wanted(r, 0, 0);
	if (r->names > 1)
		choose_places(r, true);
	choose_exact_names(r);
	for (size_t k = 1; k < r->names; k++)
		if (r->name[k].kind == NAME_SUFFIX || r->name[k].kind == NAME_DOTTED)
			r->name[k].rule = wanted(r, 0, k);
	if (one_answer(r, v6) != NULL && strcmp(one_answer(r, v6), r->otherwise) != 0)
		r->place[v6].rule = one_answer(r, v6);
	choose_places(r, false);
	if (r->names == 1) /* networks decide alone: a single address need not say it again */
		choose_places(r, true);
}

/* ---- what cannot be said -------------------------------------------------------------------------- */

/* No line answers, so a line that could have is shown. */
static const struct hosts_line *first_with_names(const struct hosts_allow *h)
{
	for (size_t i = 0; i < h->lines; i++)
		for (size_t k = 0; k < h->line[i].count; k++) {
			const enum hosts_kind kind = h->pattern[h->line[i].first + k].kind;

			if (kind != HOSTS_ALL && kind != HOSTS_NET)
				return &h->line[i];
		}
	return &h->line[0];
}

static void refuse(struct resolve *r, size_t place, size_t name)
{
	const long line = line_of(r, place, name);
	const struct name *n = &r->name[name];
	char address[ADDR_TEXT], shown[512];

	addr_format(&r->place[place].net.base, address);
	snprintf(shown, sizeof shown, "%s%s, name %s", address,
		r->place[place].up == -1 ? " or any other" : "",
		n->text != NULL         ? n->text
		: n->kind == NAME_NONE  ? "unknown"
		: n->kind == NAME_PLAIN ? "without a dot"
					: "any other");
	hosts_allow_refuse(r->h, line == -1 ? first_with_names(r->h) : &r->h->line[line],
		"a name and an address decide together, and rules ask for one after the other", shown);
}

/* One refusal a line is enough. */
static void check(struct resolve *r)
{
	for (size_t i = 0; i < r->places; i++)
		for (size_t k = 0; k < r->names; k++)
			if (strcmp(answer(r, i, k), wanted(r, i, k)) != 0) {
				refuse(r, i, k);
				return;
			}
}

/* ---- text ----------------------------------------------------------------------------------------- */

static void print_net(const struct hosts_net *net, FILE *out)
{
	const unsigned char *b = net->base.byte + 12;
	char text[ADDR_TEXT];

	addr_format(&net->base, text);
	if (!net->is_v4)
		fprintf(out, net->bits == 128 ? "[%s]" : "[%s]/%u", text, net->bits);
	else if (net->bits == 128)
		fputs(text, out);
	else if (net->bits % 8 != 0)
		fprintf(out, "%s/%u", text, net->bits - 96);
	else
		for (unsigned i = 0; i < (net->bits - 96) / 8; i++)
			fprintf(out, "%u.", b[i]);
}

/* Longest networks first: the order is right for readers that know no longest prefix, too. */
static void print(const struct resolve *r, FILE *out)
{
	for (unsigned bits = 129; bits-- > 0;)
		for (size_t i = 0; i < r->places; i++)
			if (r->place[i].rule != NULL && r->place[i].net.bits == bits) {
				print_net(&r->place[i].net, out);
				fprintf(out, ":%s\n", r->place[i].rule);
			}
	for (size_t k = 1; k < r->names; k++)
		if (r->name[k].rule != NULL && r->name[k].text != NULL)
			fprintf(out, "=%s:%s\n", r->name[k].text, r->name[k].rule);
	if (any_name_rule(r) != NULL && strcmp(any_name_rule(r), r->otherwise) != 0)
		fprintf(out, "=:%s\n", any_name_rule(r));
	fprintf(out, ":%s\n", r->otherwise);
}

void hosts_resolve(struct hosts_allow *h, FILE *out)
{
	struct resolve r = { .h = h };

	collect_places(&r);
	collect_names(&r);
	if (r.places * r.names > HOSTS_RESOLVE_WORK / (h->patterns + 1))
		die(EXIT_PERMANENT, "%zu networks and %zu names are too many", r.places, r.names);
	ask_lines(&r);
	choose(&r);
	check(&r);
	if (h->refused == 0)
		print(&r, out);
	free(r.line);
	free(r.name);
	free(r.place);
}
