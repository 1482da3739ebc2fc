#include "tcprules/rules_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/num.h"
#include "base/str.h"
#include "net/addr.h"
#include "net/quota.h"
#include "net/rules_key.h"
#include "net/rules_unsafe.h"
#include "tcprules/rules_address.h"
#include "tcprules/rules_seen.h"

static bool has(const char *p, size_t n, char c)
{
	return memchr(p, c, n) != NULL;
}

struct check {
	unsigned long line;
	unsigned long rules;
	bool wrong;
	bool has_default;
	unsigned long first_name; /* line, 0: none */
	char name[RULES_FINDING_VALUE];
	struct rules_seen *seen;
};

static void found(struct check *c, enum finding which, const char *value, size_t n)
{
	const bool note = rules_finding_is_note(which);

	c->wrong = c->wrong || !note;
	rules_finding_say(note ? "note" : "warning", rules_finding(which), c->line, value, n);
}

/* "NAME=value": a variable that the server itself obeys, with a value that it cannot use? */
static bool server_can_use(const char *pair, size_t name_len)
{
	const char *value = pair + name_len + 1;
	struct quota q;

	if (name_len == 5 && memcmp(pair, "PROXY", 5) == 0)
		return strcmp(value, "1") == 0;
	for (int i = 0; i < QUOTA_VARIABLES; i++)
		if (strlen(quota_variables[i]) == name_len &&
			memcmp(pair, quota_variables[i], name_len) == 0)
			return quota_set(&q, i, value) == NULL;
	return true;
}

static void check_variable(struct check *c, const char *pair, bool deny)
{
	const char *equals = strchr(pair, '=');
	const size_t n = equals == NULL ? 0 : (size_t)(equals - pair);

	if (n == 0)
		found(c, VARIABLE_EMPTY, pair, strlen(pair));
	else if (has(pair, n, ' ') || has(pair, n, '\t'))
		found(c, VARIABLE_BLANK, pair, strlen(pair));
	else if (rules_variable_is_unsafe(pair, n))
		found(c, VARIABLE_UNSAFE, pair, strlen(pair));
	else if (deny && !(n == 6 && memcmp(pair, "DIEMSG", 6) == 0))
		found(c, DENY_VARIABLES, pair, strlen(pair));
	else if (!server_can_use(pair, n))
		found(c, VARIABLE_VALUE, pair, strlen(pair));
}

/* "D\0"? then "+NAME=value\0" ... */
static void check_data(struct check *c, const struct str *data)
{
	const char *p = data->s, *end = data->s + data->len;
	const bool deny = p < end && *p == 'D';

	if (deny)
		p += 2;
	for (; p < end; p += strlen(p) + 1)
		check_variable(c, p + 1, deny);
}

static void check_place(struct check *c, const struct rules_text *t)
{
	char memory[RULES_FINDING_VALUE * 2];
	enum rules_seen_answer answer;
	const unsigned long line = c->line;
	unsigned long other = 0;
	struct str value;

	answer = rules_seen_add(c->seen, t, line, &other);
	if (answer == RULES_SEEN_NOT)
		return;
	if (answer == RULES_SEEN_LATE) { /* a network of ours does not count where a classic rule is */
		c->line = other;
		other = line;
	}
	str_init(&value, memory, sizeof memory);
	str_puts(&value, "line ");
	str_putu(&value, other);
	str_puts(&value, ": ");
	str_put(&value, t->address,
		t->address_len < RULES_FINDING_VALUE ? t->address_len : RULES_FINDING_VALUE);
	found(c, answer == RULES_SEEN_RANGE ? SHADOWED : DUPLICATE, value.s, value.len);
	c->line = line;
}

/* As written, before the bits behind its length are cleared. */
static void check_net(struct check *c, const struct rules_text *t)
{
	const char *text = t->address + t->left;
	const size_t rest = t->address_len - t->left;
	const char *slash = memchr(text, '/', rest);
	const size_t n = slash == NULL ? rest : (size_t)(slash - text);
	char copy[ADDR_TEXT + 2];
	struct addr a;

	if (n >= sizeof copy)
		return;
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (addr_parse(copy, &a) == NULL && !addr_equal(&a, &t->net))
		found(c, HOST_BITS, t->address, t->address_len);
}

static void check_name_rule(struct check *c, const struct rules_text *t)
{
	const char *name = rules_key_name(t->address, t->address_len);
	size_t n;

	if (name == NULL)
		return;
	n = t->address_len - (size_t)(name - t->address);
	if (c->first_name == 0) {
		c->first_name = c->line;
		memcpy(c->name, t->address,
			t->address_len < sizeof c->name ? t->address_len : sizeof c->name - 1);
	}
	for (size_t i = 0; i < n; i++)
		if ((name[i] >= 'A' && name[i] <= 'Z') || (i > 0 && i == n - 1 && name[i] == '.')) {
			found(c, NAME_CASE, t->address, t->address_len);
			return;
		}
}

/* The digits of a range say what it means, its numbers what becomes of it. */
static void check_range_ends(struct check *c, const struct rules_text *t)
{
	const char *from = t->address + t->left, *to = t->address + t->right;
	const char *dash = memchr(from, '-', (size_t)(to - from));
	unsigned long last;

	if (dash == NULL)
		return;
	if (dash == from || dash + 1 == to)
		found(c, RANGE_OPEN, t->address, t->address_len);
	else if (num_parse_n(dash + 1, (size_t)(to - dash - 1), 0, 255, &last) != NULL)
		found(c, RANGE_CUT, t->address, t->address_len);
}

static void check_rule(struct check *c, const struct rules_text *t, const struct str *data)
{
	const struct rules_finding *f = rules_address_check(t);

	c->rules++;
	if (f != NULL)
		found(c, rules_finding_number(f), t->address, t->address_len);
	else if (t->is_range)
		check_range_ends(c, t);
	else if (t->is_net)
		check_net(c, t);
	if (t->address_len == 0)
		c->has_default = true;
	check_name_rule(c, t);
	check_data(c, data);
	if (f == NULL)
		check_place(c, t);
}

/* ---- lines that are none -------------------------------------------------------------------------- */

static bool is_hex(const char *p, size_t n)
{
	return n <= 4 && strspn(p, "0123456789abcdefABCDEF") >= n;
}

static const char *remedy_for(const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	const char *rest = colon + 1;
	const size_t left = n - (size_t)(rest - line);

	if (line[n - 1] == '\r')
		return "the line ends with CR LF: take the CR away";
	if (has(line, (size_t)(colon - line), '['))
		return "write [ADDRESS] or [ADDRESS]/LENGTH";
	if (is_hex(line, (size_t)(colon - line)) && has(rest, left, ':'))
		return "write an IPv6 address in brackets";
	if (left > 0 && (rest[0] == ' ' || rest[0] == '\t'))
		return "write no blank behind the colon";
	if (strncmp(rest, "allow", 5) != 0 && strncmp(rest, "deny", 4) != 0)
		return strncasecmp(rest, "allow", 5) == 0 || strncasecmp(rest, "deny", 4) == 0
			       ? "write allow or deny in lower case"
			       : "write allow or deny behind the colon";
	if (has(rest, left, '#'))
		return "write a comment on a line of its own";
	if (has(line, (size_t)(colon - line), '-'))
		return "write a range as NUMBER-NUMBER between dots, a name as =NAME";
	return "write ,NAME=\"VALUE\" behind allow or deny, without blanks";
}

static void bad_line(struct check *c, const char *line, size_t n)
{
	const struct rules_finding f = { "unable to parse this line", remedy_for(line, n) };

	c->wrong = true;
	rules_finding_say("fatal", &f, c->line, line, n);
}

static void check_line(struct check *c, const char *line, size_t n, struct str *data)
{
	struct rules_text t;

	n = rules_text_trim(line, n);
	if (rules_text_parse(line, n, &t, data) != NULL) {
		bad_line(c, line, n);
		return;
	}
	if (!t.is_rule) {
		if (rules_address_skipped(line, n) != NULL)
			found(c, NO_COLON, line, n);
		return;
	}
	if (has(line, n, '\0'))
		found(c, NUL_BYTE, line, n);
	else
		check_rule(c, &t, data);
}

static void check_end(struct check *c)
{
	if (c->rules == 0) {
		found(c, NO_RULES, "", 0);
		return;
	}
	if (c->first_name != 0) {
		const unsigned long last = c->line;

		c->line = c->first_name;
		found(c, NAME_TRUST, c->name, strlen(c->name));
		c->line = last;
	}
	if (!c->has_default)
		found(c, NO_DEFAULT, "", 0);
}

bool rules_check_text(FILE *in)
{
	struct check c = { 0 };
	char *line = NULL, *memory = NULL;
	size_t room = 0, memory_room = 0;
	ssize_t n;

	c.seen = rules_seen_open();
	errno = 0;
	while ((n = getline(&line, &room, in)) != -1) {
		struct str data;

		if (memory_room < room + RULES_TEXT_KEY) {
			memory_room = room + RULES_TEXT_KEY;
			free(memory);
			memory = malloc(memory_room);
			if (memory == NULL)
				die(EXIT_TEMPORARY, "out of memory");
		}
		str_init(&data, memory, memory_room);
		c.line++;
		check_line(&c, line, (size_t)n, &data);
	}
	if (ferror(in))
		die(EXIT_TEMPORARY, "unable to read input: %s", errtext(errno));
	check_end(&c);
	rules_seen_close(c.seen);
	free(line);
	free(memory);
	return !c.wrong;
}
