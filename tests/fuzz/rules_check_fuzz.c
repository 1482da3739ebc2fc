/* tcprules --check: what it passes compiles and is believed; what cannot be parsed is said; an address that it
 * lets pass finds a client and one that it calls useless finds none; a line that "does not count" owns no key,
 * and one that owns none has been named. The findings go to descriptor 2, which is taken here: run with
 * -close_fd_mask=2. */
#include <cdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "net/rules.h"
#include "net/rules_key.h"
#include "net/rules_verify.h"
#include "tcprules/rules_address.h"
#include "tcprules/rules_check.h"
#include "tcprules/rules_text.h"
#include "tests/fuzz/compiled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE = 4096, KEY = SIZE + RULES_TEXT_KEY, LINES = SIZE + 1 };

/* ---- files ---------------------------------------------------------------------------------------- */

static int from = -1, to, said;

static void open_once(void)
{
	if (from != -1)
		return;
	from = memfd_create("text", 0);
	to = memfd_create("cdb", 0);
	said = memfd_create("said", 0);
	if (from == -1 || to == -1 || dup2(said, 2) != 2)
		abort();
}

/* ---- the lines, and what is said of them ------------------------------------------------------------ */

struct line {
	const char *text;
	size_t n; /* trimmed */
	bool is_parsed;
	bool is_rule; /* that we look at; not with a NUL, which is said and no more */
	bool is_fatal;
	bool is_lost; /* another line counts */
	unsigned long other;
	struct rules_text t;
};

static struct line lines[LINES + 1]; /* 0 is none */
static size_t count;
static char data_memory[SIZE + 1], key_memory[KEY];

static void parse_lines(const char *text, size_t size)
{
	const char *end = text + size;

	for (count = 0; text < end;) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline == NULL ? end : newline;
		struct line *l = &lines[++count];
		struct str data;

		memset(l, 0, sizeof *l);
		l->text = text;
		l->n = rules_text_trim(text, (size_t)(stop - text));
		str_init(&data, data_memory, sizeof data_memory);
		l->is_parsed = rules_text_parse(l->text, l->n, &l->t, &data) == NULL;
		/* =x@[::1] is a name in one way, and in another an address with a "=x" that identd would say */
		l->is_rule = l->is_parsed && l->t.is_rule && memchr(l->text, '\0', l->n) == NULL &&
			     !(l->t.is_net && l->text[0] == '=');
		text = stop + 1;
	}
}

/* As a client looks for it. */
static void normalise(struct str *key)
{
	static char memory[KEY];
	struct str normal;

	str_init(&normal, memory, sizeof memory);
	if (!rules_key_normalise(&normal, key->s, key->len))
		return;
	str_reset(key);
	str_put(key, normal.s, normal.len);
}

static bool next_key(struct rules_text *t, struct str *key)
{
	if (!rules_text_key(t, key))
		return false;
	normalise(key);
	return true;
}

static bool begins(const char **p, const char *word)
{
	const size_t n = strlen(word);

	if (strncmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}

/* "tcprules: KIND: line N: REASON (VALUE): REMEDY". Returns whether it is more than a note. */
static bool read_finding(const char *p)
{
	const bool named = begins(&p, "tcprules: ");
	const bool is_fatal = named && begins(&p, "fatal: "), is_warning = named && begins(&p, "warning: ");
	char *rest;
	unsigned long number;

	if (!(is_fatal || is_warning || (named && begins(&p, "note: "))) || !begins(&p, "line "))
		abort();
	number = strtoul(p, &rest, 10);
	p = rest;
	if (number > count || !begins(&p, ": ") || strstr(p, " (") == NULL || strstr(p, "): ") == NULL)
		abort();
	lines[number].is_fatal |= is_fatal;
	if (begins(&p, "another line has this address, and that one counts (line ") ||
		begins(&p, "this address is in the range of an earlier line, and that one counts (line ")) {
		lines[number].is_lost = true;
		lines[number].other = strtoul(p, NULL, 10);
	}
	return is_fatal || is_warning;
}

/* Returns whether one of them is more than a note. */
static bool read_findings(void)
{
	static char text[1 << 20];
	const ssize_t n = pread(said, text, sizeof text - 1, 0);
	bool wrong = false;

	if (n < 0)
		abort();
	text[n] = '\0';
	for (char *p = text, *newline; *p != '\0'; p = newline + 1) {
		newline = strchr(p, '\n');
		if (newline == NULL || newline - p >= ERR_LINE)
			abort();
		*newline = '\0';
		for (const char *c = p; c < newline; c++)
			if (*c < ' ' || *c > '~')
				abort();
		wrong |= read_finding(p);
	}
	return wrong;
}

/* ---- is there a client? ----------------------------------------------------------------------------- */

/* A key as it is, and as a client with a name looks for it. */
struct wish {
	const char *key;
	const struct str *normal;
	bool is_tried;
};

static void tried(void *arg, const char *key, size_t n, const struct rules_verdict *v)
{
	struct wish *w = arg;

	(void)n;
	(void)v;
	w->is_tried |= strcmp(key, w->key) == 0 || strcmp(key, w->normal->s) == 0;
}

/* Rules that nearly nobody finds, so that a client looks for all the keys there are: networks of IPv6 are only
 * looked for when one of their length is there. */
static struct rules *open_nobody(void)
{
	static const char name[] = "x@[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:allow\n";
	static char text[16384], path[64];
	struct str s;
	struct rules *r;

	str_init(&s, text, sizeof text);
	str_puts(&s, name);
	for (unsigned bits = 0; bits <= ADDR_BITS; bits++) {
		str_put(&s, name + 2, strcspn(name + 2, "]") + 1);
		str_putc(&s, '/');
		str_putu(&s, bits);
		str_puts(&s, ":allow\n");
	}
	(void)compile(from, to, s.s, s.len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", to);
	r = rules_open(path);
	if (r == NULL || rules_refresh(r) == -1)
		abort();
	return r;
}

static void ask(const char *ip, const char *host, const char *info, struct wish *w)
{
	static struct rules *nobody;
	const struct rules_client who = { ip, host, info };
	struct rules_verdict v;

	if (nobody == NULL)
		nobody = open_nobody();
	rules_trace(nobody, tried, w);
	if (rules_find(nobody, &who, &v) == -1)
		abort();
}

/* An address as tcpserver writes it; a prefix is filled up. */
static void ask_address(const char *key, const char *info, struct wish *w)
{
	static char filled[KEY + 8];
	char ip[ADDR_TEXT];
	struct addr a;
	size_t n;

	snprintf(filled, sizeof filled, "%s", key + (key[0] == '['));
	filled[strcspn(filled, "]")] = '\0';
	n = strlen(filled);
	for (int i = 0; i < 4 && addr_parse(filled, &a) != NULL; i++)
		n += (size_t)snprintf(filled + n, sizeof filled - n, "%s", i == 0 ? "1" : ".1");
	if (addr_parse(filled, &a) != NULL)
		return;
	addr_format(&a, ip);
	ask(ip, NULL, info, w);
}

/* That a name may be empty, or a dot, is believed, too. */
static void ask_name(const char *name, const char *info, struct wish *w)
{
	static char host[KEY + 1];
	const bool is_any = name[0] == '\0' || (name[0] == '.' && name[1] != '\0');

	snprintf(host, sizeof host, "%s%s", info == NULL && is_any ? "x" : "", name);
	ask("192.0.2.1", host, info, w);
}

/* Does the client that the key seems to be for look for it? */
static bool is_looked_for(struct str *key)
{
	static char copy[KEY], whole[KEY];
	struct wish w = { .key = whole, .normal = key };
	char *at;

	snprintf(copy, sizeof copy, "%s", key->s);
	snprintf(whole, sizeof whole, "%s", key->s);
	normalise(key);
	at = copy[0] == '=' ? NULL : strrchr(copy, '@');
	if (at != NULL)
		*at++ = '\0';
	if (copy[0] == '=')
		ask_name(copy + 1, NULL, &w);
	else if (at == NULL)
		ask_address(copy, NULL, &w);
	else if (at[0] == '=')
		ask_name(at + 1, copy, &w);
	else
		ask_address(at, copy, &w);
	return w.is_tried;
}

/* That nobody comes with a name like "*" is believed. */
static void check_address(const struct line *l)
{
	const bool useless = rules_address_check(&l->t) != NULL;
	struct rules_text t = l->t;
	struct str key;
	bool found = false;

	for (str_init(&key, key_memory, sizeof key_memory); rules_text_key(&t, &key); str_reset(&key))
		found |= is_looked_for(&key);
	if (useless ? found && memchr(l->t.address, '=', l->t.address_len) == NULL : !found)
		abort();
}

/* ---- whose are the keys? ---------------------------------------------------------------------------- */

/* All addresses again, each with the number of its line as data, into the file behind to. */
static void compile_marked(void)
{
	static char text[LINES * 32];
	struct str s;

	str_init(&s, text, sizeof text);
	for (size_t i = 1; i <= count; i++) {
		struct rules_text t = lines[i].t;
		struct str key;

		if (!lines[i].is_rule)
			continue;
		str_init(&key, key_memory, sizeof key_memory);
		if (!t.is_range && !t.is_net && next_key(&t, &key))
			str_put(&s, key.s, key.len);
		else
			str_put(&s, t.address, t.address_len);
		str_puts(&s, ":allow,L=\"");
		str_putu(&s, i);
		str_puts(&s, "\"\n");
	}
	if (s.full)
		abort();
	(void)compile(from, to, s.s, s.len);
}

static unsigned long owner(struct cdb *c, const struct str *key)
{
	const char *data;

	if (cdb_find(c, key->s, (unsigned)key->len) != 1)
		abort();
	data = cdb_getdata(c);
	return strtoul(data + strlen("+L="), NULL, 10);
}

static void check_owners(struct cdb *c, const struct line *l)
{
	const unsigned long number = (unsigned long)(l - lines);
	struct rules_text t = l->t;
	unsigned long last = 0;
	size_t keys = 0;
	struct str key;

	for (str_init(&key, key_memory, sizeof key_memory); next_key(&t, &key); str_reset(&key)) {
		last = owner(c, &key);
		if (l->is_lost && last == number)
			abort();
		keys++;
	}
	if (l->is_lost && (keys == 0 || l->other == number || l->other == 0 || l->other > count))
		abort();
	/* of several lines that have the address, the one that is named: for ours it may be lost, too */
	if (l->is_lost && keys == 1 && !l->t.is_range && !l->t.is_late && l->other != last)
		abort();
	/* what is several keys may be lost to several lines: that is not looked for, nor are ranges for ours */
	if (keys == 1 && last != number && !l->is_lost && !l->t.is_range &&
		!(l->t.is_net && lines[last].t.is_range) && rules_address_check(&l->t) == NULL)
		abort();
}

static void check_all_owners(void)
{
	struct cdb c;

	compile_marked();
	if (cdb_init(&c, to) == -1)
		abort();
	for (size_t i = 1; i <= count; i++)
		if (lines[i].is_rule)
			check_owners(&c, &lines[i]);
	cdb_free(&c);
}

/* ---- a text --------------------------------------------------------------------------------------- */

static int visit(void *arg, unsigned pos, const unsigned char *key, size_t n)
{
	(void)arg;
	(void)pos;
	(void)key;
	(void)n;
	return 0;
}

/* As rules_refresh does, which would wait for the kernel to seal its copy. */
static void check_passed(const char *text, size_t size)
{
	const struct rules_visit each = { .record = visit };
	struct cdb c;

	if (compile(from, to, text, size) != 0 || cdb_init(&c, to) == -1 ||
		rules_verify(cdb_get(&c, c.cdb_fsize, 0), c.cdb_fsize, &each) == -1)
		abort();
	cdb_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	FILE *in;
	bool passed;

	if (size > SIZE)
		return 0;
	in = fmemopen((void *)text, size, "r");
	if (in == NULL)
		abort();
	open_once();
	empty(said);
	parse_lines(text, size);
	passed = rules_check_text(in);
	fclose(in);
	if (read_findings() == passed)
		abort();
	for (size_t i = 1; i <= count; i++) {
		if (lines[i].is_fatal == lines[i].is_parsed)
			abort();
		if (lines[i].is_rule)
			check_address(&lines[i]);
	}
	if (passed)
		check_passed(text, size);
	check_all_owners();
	return 0;
}
