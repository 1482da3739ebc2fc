#include "mail/spf.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "mail/spf_question.h"
#include "mail/spf_record.h"

enum { TERMS_MAX = 10, VOIDS_MAX = 2 }; /* section 4.6.4 */

/* What a mechanism comes to: a match, none, or an error that ends it all. */
enum match { NO_MATCH, MATCH, TEMPORARY, PERMANENT };

static enum spf_result check_host(struct spf *s, const char *domain, struct spf_verdict *v);

static bool in_network(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	const unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static enum match temporary(struct spf *s, const char *problem)
{
	s->problem = problem;
	return TEMPORARY;
}

static enum match permanent(struct spf *s, const char *problem)
{
	s->problem = problem;
	return PERMANENT;
}

/* ---- what a term asks ------------------------------------------------------------------------------ */

static enum match count_void(struct spf *s)
{
	if (++s->voids > VOIDS_MAX)
		return permanent(s, "more than 2 look-ups found nothing");
	return NO_MATCH;
}

/* Nothing found is no match, but not for ever. */
static enum match judge(struct spf *s, enum spf_found found)
{
	if (found == SPF_FAILED)
		return temporary(s, "a look-up failed");
	return found == SPF_MISSING ? count_void(s) : NO_MATCH;
}

struct sought {
	const unsigned char *ip;
	size_t size; /* 4 or 16 */
	unsigned bits;
	bool hit;
};

static void compare(void *to, const void *data, size_t n)
{
	struct sought *f = to;

	if (n == f->size && in_network(data, f->ip, f->bits))
		f->hit = true;
}

static enum spf_found look_up_address(struct spf *s, const char *name, const struct spf_term *t, bool *hit)
{
	const bool v4 = spf_is_v4(s->question->ip);
	struct sought f = { .ip = s->question->ip + (v4 ? SPF_V4_AT : 0), .size = v4 ? 4 : 16 };
	spf_look_up *const look_up = v4 ? s->dns->a : s->dns->aaaa;
	enum spf_found found;

	f.bits = v4 ? t->bits4 : t->bits6;
	found = look_up(s->dns->arg, name, compare, &f);
	*hit = found == SPF_FOUND && f.hit;
	return found;
}

static enum match match_address(struct spf *s, const char *name, const struct spf_term *t)
{
	bool hit;
	const enum spf_found found = look_up_address(s, name, t, &hit);

	return hit ? MATCH : judge(s, found);
}

static void take_exchanger(void *to, const void *data, size_t n)
{
	struct spf *s = to;

	if (s->mx_count < SPF_NAMES) {
		const bool good = spf_is_name(data, n);

		if (good)
			memcpy(s->mx[s->mx_count], data, n);
		s->mx[s->mx_count][good ? n : 0] = '\0'; /* "." has no address: RFC 7505 */
	}
	s->mx_count++;
}

static enum match match_mx(struct spf *s, const char *name, const struct spf_term *t)
{
	enum match m;

	s->mx_count = 0;
	m = judge(s, s->dns->mx(s->dns->arg, name, take_exchanger, s));
	if (m == NO_MATCH && s->mx_count > SPF_NAMES)
		m = permanent(s, "an mx has more than 10 names");
	for (size_t i = 0; m == NO_MATCH && i < s->mx_count; i++)
		if (s->mx[i][0] != '\0')
			m = match_address(s, s->mx[i], t);
	return m;
}

static enum match match_exists(struct spf *s, const char *name)
{
	struct sought any = { .ip = spf_v4_prefix, .size = 4 };
	const enum spf_found found = s->dns->a(s->dns->arg, name, compare, &any);

	return found == SPF_FOUND ? MATCH : judge(s, found);
}

/* ---- the names of the client: section 5.5 ----------------------------------------------------------- */

static void take_client_name(void *to, const void *data, size_t n)
{
	struct spf *s = to;
	struct spf_client_name *name = &s->names[s->name_count];

	if (s->name_count == SPF_NAMES) /* the rest counts for nothing */
		return;
	name->state = spf_is_name(data, n) ? SPF_UNCHECKED : SPF_INVALID;
	if (name->state == SPF_UNCHECKED)
		memcpy(name->text, data, n);
	name->text[name->state == SPF_UNCHECKED ? n : 0] = '\0';
	s->name_count++;
}

static void ask_client_names(struct spf *s)
{
	if (s->asked)
		return;
	s->asked = true;
	s->client = s->dns->ptr(s->dns->arg, s->question->ip, take_client_name, s);
	if (s->client != SPF_FOUND)
		s->name_count = 0;
}

/* Is the client's address one of this name's? */
static bool is_valid(struct spf *s, struct spf_client_name *name)
{
	static const struct spf_term host = { .bits4 = 32, .bits6 = 128 };
	bool hit;

	if (name->state == SPF_UNCHECKED) {
		(void)look_up_address(s, name->text, &host, &hit);
		name->state = hit ? SPF_VALID : SPF_INVALID;
	}
	return name->state == SPF_VALID;
}

static bool is_same_name(const char *name, struct spf_text domain)
{
	return strlen(name) == domain.n && strncasecmp(name, domain.p, domain.n) == 0;
}

static bool is_below(const char *name, struct spf_text domain)
{
	const size_t n = strlen(name);

	return n > domain.n + 1 && name[n - domain.n - 1] == '.' &&
	       strncasecmp(name + n - domain.n, domain.p, domain.n) == 0;
}

static bool is_any(const char *name, struct spf_text domain)
{
	(void)domain;
	return *name != '\0';
}

static const char *first_valid(
	struct spf *s, bool (*fits)(const char *, struct spf_text), struct spf_text domain)
{
	for (size_t i = 0; i < s->name_count; i++)
		if (fits(s->names[i].text, domain) && is_valid(s, &s->names[i]))
			return s->names[i].text;
	return NULL;
}

static enum match match_ptr(struct spf *s, const char *name)
{
	const struct spf_text domain = spf_text_of(name);

	ask_client_names(s);
	if (s->client == SPF_MISSING)
		return count_void(s);
	return first_valid(s, is_same_name, domain) != NULL || first_valid(s, is_below, domain) != NULL
		       ? MATCH
		       : NO_MATCH;
}

/* %{p}: the domain itself, else a name below it, else any. */
static struct spf_text validated(void *arg, struct spf_text domain)
{
	struct spf *s = arg;
	const char *name;

	ask_client_names(s);
	name = first_valid(s, is_same_name, domain);
	if (name == NULL)
		name = first_valid(s, is_below, domain);
	if (name == NULL)
		name = first_valid(s, is_any, domain);
	return spf_text_of(name != NULL ? name : "unknown");
}

/* ---- mechanisms ------------------------------------------------------------------------------------- */

/* Section 5.2. */
static enum match match_include(struct spf *s, const char *name)
{
	switch (check_host(s, name, NULL)) {
	case SPF_PASS:
		return MATCH;
	case SPF_TEMPERROR:
		return TEMPORARY;
	case SPF_PERMERROR:
		return PERMANENT;
	case SPF_NONE:
		return permanent(s, "an included domain has no record");
	default:
		return NO_MATCH;
	}
}

static enum match count_term(struct spf *s)
{
	if (++s->terms > TERMS_MAX)
		return permanent(s, "more than 10 terms ask the DNS");
	return NO_MATCH;
}

static enum match match_asking(struct spf *s, const char *domain, const struct spf_term *t)
{
	char name[SPF_NAME];
	enum match m = count_term(s);

	if (m != NO_MATCH)
		return m;
	s->values.domain = spf_text_of(domain);
	if (t->domain.n == 0)
		memcpy(name, domain, s->values.domain.n + 1);
	else if (!spf_expand_name(t->domain, &s->values, name))
		return t->kind == SPF_INCLUDE ? permanent(s, "an included domain is no name") : NO_MATCH;
	switch (t->kind) {
	case SPF_INCLUDE:
		return match_include(s, name);
	case SPF_A:
		return match_address(s, name, t);
	case SPF_MX:
		return match_mx(s, name, t);
	case SPF_PTR:
		return match_ptr(s, name);
	default:
		return match_exists(s, name);
	}
}

static enum match match_term(struct spf *s, const char *domain, const struct spf_term *t)
{
	const unsigned char *ip = s->question->ip;
	const bool v4 = spf_is_v4(ip);
	bool hit;

	switch (t->kind) {
	case SPF_ALL:
		return MATCH;
	case SPF_IP4:
		hit = v4 && in_network(ip + 12, t->ip + 12, t->bits4);
		return hit ? MATCH : NO_MATCH;
	case SPF_IP6:
		hit = !v4 && in_network(ip, t->ip, t->bits6);
		return hit ? MATCH : NO_MATCH;
	case SPF_REDIRECT:
	case SPF_EXP:
	case SPF_UNKNOWN:
	case SPF_END:
		return NO_MATCH;
	default:
		return match_asking(s, domain, t);
	}
}

/* ---- a record --------------------------------------------------------------------------------------- */

struct reading {
	struct spf *s;
	char *at; /* where the record goes */
	size_t n, count;
	bool too_long;
};

static void take_record(void *to, const void *data, size_t n)
{
	struct reading *r = to;

	if (!spf_is_record(data, n))
		return;
	r->count++;
	r->too_long = n > SPF_RECORDS - r->s->used;
	if (r->too_long || r->count > 1)
		return;
	memcpy(r->at, data, n);
	r->n = n;
}

/* Sections 4.4 and 4.5: SPF_PASS when there is a record, *terms, which holds memory from then on. */
static enum spf_result get_record(struct spf *s, const char *domain, struct spf_text *terms)
{
	static const size_t version = 6; /* "v=spf1" */
	struct reading r = { .s = s, .at = s->records + s->used };
	const enum spf_found found = s->dns->txt(s->dns->arg, domain, take_record, &r);

	if (found == SPF_FAILED) {
		s->problem = "the look-up of a record failed";
		return SPF_TEMPERROR;
	}
	if (found == SPF_MISSING || r.count == 0)
		return SPF_NONE;
	if (r.count > 1)
		s->problem = "there is more than one record";
	else if (r.too_long)
		s->problem = "records are too long";
	else
		s->problem = spf_record_check((struct spf_text){ r.at + version, r.n - version });
	if (s->problem != NULL)
		return SPF_PERMERROR;
	*terms = (struct spf_text){ r.at + version, r.n - version };
	s->used += r.n;
	return SPF_PASS;
}

struct modifiers {
	struct spf_text redirect, exp; /* n is 0 where there is none */
};

static struct modifiers modifiers_of(struct spf_text terms)
{
	struct modifiers m = { { NULL, 0 }, { NULL, 0 } };
	const char *p = terms.p;
	struct spf_term t;

	while (spf_record_next(&p, terms.p + terms.n, &t) == NULL && t.kind != SPF_END)
		if (t.kind == SPF_REDIRECT)
			m.redirect = t.domain;
		else if (t.kind == SPF_EXP)
			m.exp = t.domain;
	return m;
}

static enum spf_result result_of(char qualifier)
{
	switch (qualifier) {
	case '+':
		return SPF_PASS;
	case '-':
		return SPF_FAIL;
	case '~':
		return SPF_SOFTFAIL;
	default:
		return SPF_NEUTRAL;
	}
}

static void copy_cut(struct spf_text from, char *to, size_t cap)
{
	const size_t n = from.n < cap ? from.n : cap - 1;

	memcpy(to, from.p, n);
	to[n] = '\0';
}

/* The first directive that matches; SPF_NONE when there is none. */
static enum spf_result evaluate(
	struct spf *s, const char *domain, struct spf_text terms, struct spf_verdict *v)
{
	const char *p = terms.p;
	struct spf_term t;

	while (spf_record_next(&p, terms.p + terms.n, &t) == NULL && t.kind != SPF_END) {
		const enum match m = match_term(s, domain, &t);

		if (m == NO_MATCH)
			continue;
		if (v != NULL)
			copy_cut(t.whole, v->mechanism, sizeof v->mechanism);
		return m == MATCH ? result_of(t.qualifier) : m == TEMPORARY ? SPF_TEMPERROR : SPF_PERMERROR;
	}
	return SPF_NONE;
}

/* ---- explanation: section 6.2 ------------------------------------------------------------------------ */

struct explaining {
	struct spf *s;
	size_t count;
	struct spf_verdict *v;
};

static bool is_ascii(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
	return true;
}

static void take_explanation(void *to, const void *data, size_t n)
{
	struct explaining *e = to;
	const struct spf_text t = { data, n };

	e->v->explanation[0] = '\0';
	if (++e->count == 1 && is_ascii(data, n) && spf_check_explanation(t) == NULL)
		spf_expand_explanation(t, &e->s->values, e->v->explanation, sizeof e->v->explanation);
}

static void explain(struct spf *s, const char *domain, struct spf_text exp, struct spf_verdict *v)
{
	struct explaining e = { .s = s, .v = v };
	char name[SPF_NAME];

	s->values.domain = spf_text_of(domain);
	if (exp.n == 0 || !spf_expand_name(exp, &s->values, name))
		return;
	if (s->dns->txt(s->dns->arg, name, take_explanation, &e) != SPF_FOUND)
		v->explanation[0] = '\0';
}

/* ---- check_host: section 4 --------------------------------------------------------------------------- */

/* Where it goes on; false: there is no such name. */
static bool redirect(struct spf *s, struct spf_text to, char name[SPF_NAME])
{
	char next[SPF_NAME];

	s->values.domain = spf_text_of(name);
	if (!spf_expand_name(to, &s->values, next))
		return false;
	memcpy(name, next, sizeof next);
	return true;
}

/* v is NULL within an include, whose explanation nobody wants. */
static enum spf_result check_host(struct spf *s, const char *domain, struct spf_verdict *v)
{
	const size_t used = s->used;
	char name[SPF_NAME];
	enum spf_result result;

	memcpy(name, domain, strlen(domain) + 1);
	for (bool redirected = false;; redirected = true) {
		struct spf_text terms;
		struct modifiers m;

		s->used = used;
		result = strchr(name, '.') == NULL ? SPF_NONE : get_record(s, name, &terms);
		if (result == SPF_NONE && redirected) {
			s->problem = "the domain of a redirect has no record";
			result = SPF_PERMERROR;
		}
		if (result != SPF_PASS)
			break;
		m = modifiers_of(terms);
		result = evaluate(s, name, terms, v);
		if (result == SPF_FAIL && v != NULL)
			explain(s, name, m.exp, v);
		if (result != SPF_NONE)
			break;
		result = SPF_NEUTRAL;
		if (m.redirect.n == 0)
			break;
		result = SPF_PERMERROR;
		if (count_term(s) != NO_MATCH)
			break;
		if (!redirect(s, m.redirect, name)) {
			s->problem = "the domain of a redirect is no name";
			break;
		}
	}
	s->used = used;
	return result;
}

void spf_check(
	struct spf *s, const struct spf_question *q, const struct spf_dns *dns, struct spf_verdict *v)
{
	memset(s, 0, offsetof(struct spf, names));
	s->name_count = s->mx_count = s->used = 0;
	s->dns = dns;
	s->question = q;
	s->values.validated = validated;
	s->values.arg = s;
	v->problem = NULL;
	v->explanation[0] = '\0';
	memcpy(v->mechanism, "default", sizeof "default");
	v->result = spf_question_set(s, v->domain) ? check_host(s, v->domain, v) : SPF_NONE;
	if (v->result == SPF_TEMPERROR || v->result == SPF_PERMERROR)
		v->problem = s->problem;
}

const char *spf_result_name(enum spf_result r)
{
	static const char *const names[] = { "none", "neutral", "pass", "fail", "softfail", "temperror",
		"permerror" };

	return names[r];
}
