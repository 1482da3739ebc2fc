#include "tcprules/rules_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/num.h"
#include "base/str.h"
#include "net/addr.h"
#include "net/rules_unsafe.h"
#include "tcprules/rules_seen.h"

enum finding {
	NO_COLON,
	NO_DOT,
	EMPTY_RANGE,
	BLANK,
	OCTET,
	ZEROS,
	STAR,
	NO_ADDRESS,
	NO_NETWORK,
	NO_EQUALS,
	INFO_PREFIX,
	HOST_BITS,
	RANGE_CUT,
	RANGE_OPEN,
	DUPLICATE,
	SHADOWED,
	VARIABLE_BLANK,
	VARIABLE_EMPTY,
	VARIABLE_UNSAFE,
	VARIABLE_VALUE,
	NUL_BYTE,
	NO_RULES,
	DENY_VARIABLES,
	NAME_CASE,
	NAME_TRUST,
	NO_DEFAULT,
};

/* From NOTES on the rule does what it says. */
enum { NOTES = DENY_VARIABLES };

static const struct rules_finding table[] = {
	[NO_COLON] = { "there is no colon, so the line is skipped",
		"write ADDRESS:allow or ADDRESS:deny, or # before a comment" },
	[NO_DOT] = { "matches no address", "write all four numbers, or a dot behind the last one" },
	[EMPTY_RANGE] = { "the range is empty", "write the smaller number first, and none above 255" },
	[BLANK] = { "a blank in an address matches nothing", "take it out" },
	[OCTET] = { "a number above 255 matches no address", "write 0 to 255" },
	[ZEROS] = { "a leading zero matches no address", "take the zero out" },
	[STAR] = { "a star matches nothing", "write 1.2.3. for a network, =.example.org for a domain" },
	[NO_ADDRESS] = { "is no address",
		"write 1.2.3.4, 1.2.3., 1.2.3.4-9, 10.0.0.0/9 or [2001:db8::]/32" },
	[NO_NETWORK] = { "is no network", "write 10.0.0.0/9 or [2001:db8::]/32" },
	[HOST_BITS] = { "there are bits behind the length of the network, which count as 0",
		"write its first address" },
	[NO_EQUALS] = { "a name without = before it matches nothing", "write =NAME" },
	[INFO_PREFIX] = { "behind @ only a whole address or a whole name is looked for",
		"write INFO@1.2.3.4 or INFO@=NAME" },
	[RANGE_CUT] = { "the range ends at 255", "write 255" },
	[RANGE_OPEN] = { "a range without a number counts it as 0", "write both numbers" },
	[DUPLICATE] = { "another line has this address, and that one counts", "take one of them out" },
	[SHADOWED] = { "this address is in the range of an earlier line, and that one counts",
		"move this line before it" },
	[VARIABLE_BLANK] = { "this variable has a blank in its name", "write no blank behind the comma" },
	[VARIABLE_EMPTY] = { "this variable has no name", "write NAME=\"VALUE\"" },
	[VARIABLE_UNSAFE] = { "this variable changes what programs run, and whoever reads these rules "
			      "refuses it",
		"take it out" },
	[VARIABLE_VALUE] = { "the server cannot use this value", "see tcpserver(1)" },
	[NUL_BYTE] = { "there is a NUL byte in the line, and no reader believes the file", "take it out" },
	[NO_RULES] = { "there is no rule, so everybody is allowed", "write :deny or :allow" },
	[DENY_VARIABLES] = { "who is denied never sees a variable", "take it out" },
	[NAME_CASE] = { "readers of other packages compare names by bytes",
		"write the name in lower case, without a last dot" },
	[NAME_TRUST] = { "a name counts only if its addresses confirm it",
		"deny by address what must not come in" },
	[NO_DEFAULT] = { "no line is for everybody else, so they are allowed",
		"write :deny or :allow as the last line" },
};

static void put_finding(
	const char *kind, const struct rules_finding *f, unsigned long line, const char *value, size_t n)
{
	char memory[ERR_LINE], shown[RULES_CHECK_VALUE];
	struct str text, s;

	str_init(&s, shown, sizeof shown);
	str_put_printable(&s, value, n < sizeof shown - 4 ? n : sizeof shown - 4);
	if (n >= sizeof shown - 4)
		str_puts(&s, "...");
	str_init(&text, memory, sizeof memory);
	str_puts(&text, "tcprules: ");
	str_puts(&text, kind);
	str_puts(&text, ": line ");
	str_putu(&text, line);
	str_puts(&text, ": ");
	str_puts(&text, f->reason);
	str_puts(&text, " (");
	str_puts(&text, s.s);
	str_puts(&text, "): ");
	str_puts(&text, f->remedy);
	str_putc(&text, '\n');
	if (write(2, text.s, text.len) == -1)
		return; /* nobody left to tell */
}

/* ---- addresses ------------------------------------------------------------------------------------ */

static bool has(const char *p, size_t n, char c)
{
	return memchr(p, c, n) != NULL;
}

enum { FINE = -1, NOT_NUMERIC = -2 };

/* Four numbers, or one to three with a dot at the end. */
static int check_numeric(const char *p, size_t n)
{
	unsigned numbers = 0, value = 0;
	size_t digits = 0;
	bool zeros = false, large = false, holes = false;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '.') {
			holes = holes || digits == 0;
			numbers++;
			digits = value = 0;
			continue;
		}
		if (p[i] < '0' || p[i] > '9')
			return NOT_NUMERIC;
		zeros = zeros || (digits == 1 && value == 0);
		value = value * 10 + (unsigned)(p[i] - '0');
		large = large || value > 255;
		value &= 0xff; /* large enough to see the next one */
		digits++;
	}
	if (n == 0 || holes || numbers + (digits > 0) > 4 || (digits == 0 && numbers > 3))
		return NO_ADDRESS;
	if (large)
		return OCTET;
	if (zeros)
		return ZEROS;
	return digits > 0 && numbers < 3 ? NO_DOT : FINE;
}

static int check_whole_address(const char *p, size_t n)
{
	return n > 0 && p[n - 1] != '.' && check_numeric(p, n) == FINE ? FINE : INFO_PREFIX;
}

static int check_name(const char *p, size_t n)
{
	if (has(p, n, '*'))
		return STAR;
	return has(p, n, ' ') || has(p, n, '\t') ? BLANK : FINE;
}

/* Behind the @: neither networks nor suffixes are looked for there. */
static int check_info(const char *p, size_t n)
{
	if (n == 0 || p[0] != '=')
		return check_whole_address(p, n);
	return n > 1 && p[1] == '.' ? INFO_PREFIX : check_name(p + 1, n - 1);
}

/* A key as the tables have it. */
static int check_key(const char *key, size_t n)
{
	const int wrong = n == 0 ? FINE : check_numeric(key, n);
	const char *at;

	if (wrong != NOT_NUMERIC)
		return wrong;
	if (key[0] == '=')
		return check_name(key + 1, n - 1);
	at = memrchr(key, '@', n);
	if (at != NULL)
		return check_info(at + 1, n - (size_t)(at + 1 - key));
	if (has(key, n, ' ') || has(key, n, '\t'))
		return BLANK;
	if (has(key, n, '*'))
		return STAR;
	if (key[0] == '[' || has(key, n, '/'))
		return NO_NETWORK;
	for (size_t i = 0; i < n; i++)
		if ((key[i] >= 'a' && key[i] <= 'z') || (key[i] >= 'A' && key[i] <= 'Z'))
			return NO_EQUALS;
	return NO_ADDRESS;
}

/* The key of a range with 0 in place of its numbers, which are in order already. */
static int check_range(const struct rules_text *t)
{
	char memory[256];
	struct str key;

	if (t->next > t->last)
		return EMPTY_RANGE;
	str_init(&key, memory, sizeof memory);
	str_put(&key, t->address, t->left);
	str_putc(&key, '0');
	str_put(&key, t->address + t->right, t->address_len - t->right);
	return key.full ? NO_ADDRESS : check_key(key.s, key.len);
}

/* Nearly every address of a large text: nothing is wrong, and nothing has to be told apart. */
static bool is_plain(const char *p, size_t n)
{
	const char *end = p + n;
	unsigned numbers = 0;

	while (p < end) {
		unsigned value = (unsigned char)(*p++ - '0'), digit;

		if (value > 9)
			return false;
		for (; p < end && (digit = (unsigned char)(*p - '0')) <= 9; p++) {
			value = value == 0 ? 256 : value * 10 + digit;
			if (value > 255)
				return false;
		}
		numbers++;
		if (p == end)
			return numbers == 4;
		if (*p++ != '.')
			return false;
	}
	return numbers < 4;
}

const struct rules_finding *rules_check_cheap(const struct rules_text *t)
{
	int wrong;

	if (!t->is_rule || t->is_net || (!t->is_range && is_plain(t->address, t->address_len)))
		return NULL;
	wrong = t->is_range ? check_range(t) : check_key(t->address, t->address_len);
	return wrong == FINE ? NULL : &table[wrong];
}

const struct rules_finding *rules_check_skipped(const char *line, size_t n)
{
	size_t i = 0;

	while (i < n && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r'))
		i++;
	return i == n || line[i] == '#' || has(line, n, ':') ? NULL : &table[NO_COLON];
}

/* ---- a list for the end --------------------------------------------------------------------------- */

void rules_check_keep(struct rules_check_list *l, const struct rules_finding *f, unsigned long line,
	const char *value, size_t n)
{
	if (l->count++ >= RULES_CHECK_KEPT)
		return;
	if (n > RULES_CHECK_VALUE - 1)
		n = RULES_CHECK_VALUE - 1;
	l->kept[l->count - 1].finding = f;
	l->kept[l->count - 1].line = line;
	memcpy(l->kept[l->count - 1].value, value, n);
	l->kept[l->count - 1].value[n] = '\0';
}

void rules_check_say(const struct rules_check_list *l)
{
	for (unsigned long i = 0; i < l->count && i < RULES_CHECK_KEPT; i++)
		put_finding("warning", l->kept[i].finding, l->kept[i].line, l->kept[i].value,
			strlen(l->kept[i].value));
	if (l->count > RULES_CHECK_KEPT)
		warn("and %lu more: tcprules --check shows them all", l->count - RULES_CHECK_KEPT);
}

/* ---- a whole text --------------------------------------------------------------------------------- */

struct check {
	unsigned long line;
	unsigned long rules;
	bool wrong;
	bool has_default;
	unsigned long first_name; /* line, 0: none */
	char name[RULES_CHECK_VALUE];
	struct rules_seen *seen;
};

static void found(struct check *c, enum finding which, const char *value, size_t n)
{
	const bool note = (int)which >= (int)NOTES;

	c->wrong = c->wrong || !note;
	put_finding(note ? "note" : "warning", &table[which], c->line, value, n);
}

static bool is_number(const char *p, size_t n)
{
	unsigned long value;

	return num_parse_n(p, n, 1, 1000000000, &value) == NULL;
}

/* NUMBER, then stop, then NUMBER. */
static bool is_pair(const char *p, size_t n, char stop)
{
	const char *middle = memchr(p, stop, n);

	return middle != NULL && is_number(p, (size_t)(middle - p)) &&
	       is_number(middle + 1, n - (size_t)(middle + 1 - p));
}

static bool is_rate(const char *p, size_t n)
{
	return is_pair(p, n, '/');
}

/* 24:15,64:15 */
static bool is_net_limits(const char *p, size_t n)
{
	const char *end = p + n;

	for (;;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma == NULL ? end : comma;

		if (!is_pair(p, (size_t)(stop - p), ':'))
			return false;
		if (comma == NULL)
			return true;
		p = comma + 1;
	}
}

static bool is_one(const char *p, size_t n)
{
	return n == 1 && p[0] == '1';
}

static const struct obeyed {
	const char *name;
	bool (*good)(const char *value, size_t n);
} obeyed[] = {
	{ "MAXCONNIP", is_number },
	{ "MAXCONNNET", is_net_limits },
	{ "RATE", is_rate },
	{ "PROXY", is_one },
};

static bool server_can_use(const char *pair, size_t name_len)
{
	for (size_t i = 0; i < sizeof obeyed / sizeof obeyed[0]; i++)
		if (strlen(obeyed[i].name) == name_len && memcmp(pair, obeyed[i].name, name_len) == 0)
			return obeyed[i].good(pair + name_len + 1, strlen(pair + name_len + 1));
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
	char memory[RULES_CHECK_VALUE * 2];
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
		t->address_len < RULES_CHECK_VALUE ? t->address_len : RULES_CHECK_VALUE);
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
	const char *name = memchr(t->address, '=', t->address_len);
	size_t n;

	if (name == NULL || (name != t->address && name[-1] != '@'))
		return;
	n = t->address_len - (size_t)(++name - t->address);
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
	const struct rules_finding *f = rules_check_cheap(t);

	c->rules++;
	if (f != NULL)
		found(c, (enum finding)(f - table), t->address, t->address_len);
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
	put_finding("fatal", &f, c->line, line, n);
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
		if (rules_check_skipped(line, n) != NULL)
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
