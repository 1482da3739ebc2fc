#include "tcprules/hosts_allow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "base/str.h"
#include "tcprules/rules_quote.h"

static const char *const blanks = " \t\r\n";
static const char *const separators = ", \t\r\n";

static void *grown(void *array, size_t count, size_t size)
{
	/* one more; doubled whenever the count is a power of two */
	if (count != 0 && (count & (count - 1)) != 0)
		return array;
	array = realloc(array, (count == 0 ? 1 : count * 2) * size);
	if (array == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return array;
}

static char *copied(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return copy;
}

static void lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text + ('a' - 'A'));
}

static void say(const char *kind, const struct hosts_line *at, const char *reason, const char *value)
{
	char memory[ERR_LINE];
	struct str shown;

	str_init(&shown, memory, 256);
	str_put_printable(&shown, value, strnlen(value, 255));
	fprintf(stderr, "tcprules: %s: %s%sline %lu: %s (%s)\n", kind, at->file == NULL ? "" : at->file,
		at->file == NULL ? "" : " ", at->number, reason, shown.s);
}

void hosts_allow_refuse(
	struct hosts_allow *h, const struct hosts_line *at, const char *reason, const char *value)
{
	h->refused++;
	say("fatal", at, reason, value);
}

void hosts_allow_init(struct hosts_allow *h, const char *daemon)
{
	memset(h, 0, sizeof *h);
	h->daemon = daemon;
}

void hosts_allow_free(struct hosts_allow *h)
{
	for (size_t i = 0; i < h->lines; i++)
		free(h->line[i].verdict);
	for (size_t i = 0; i < h->patterns; i++)
		free(h->pattern[i].name);
	free(h->line);
	free(h->pattern);
	memset(h, 0, sizeof *h);
}

/* ---- client patterns ------------------------------------------------------------------------------ */

static const char *const no_network = "is no network";

/* Decimal without leading zeros: they are octal for libwrap. */
static bool parse_octet(const char *p, size_t n, unsigned long *value)
{
	return (n == 1 || (n > 1 && p[0] != '0')) && num_parse_n(p, n, 0, 255, value) == NULL;
}

/* The number of octets read into the IPv4 net; -1 for anything but octets between dots. A dot at the end is
 * allowed. */
static int parse_octets(const char *text, struct hosts_net *net)
{
	static const struct addr zero = { { [10] = 0xff, [11] = 0xff } };

	net->base = zero;
	net->is_v4 = true;
	for (int i = 0; i < 4; i++) {
		const size_t n = strcspn(text, ".");
		unsigned long value;

		if (n == 0 && i > 0 && text[0] == '\0')
			return i;
		if (!parse_octet(text, n, &value))
			return -1;
		net->base.byte[12 + i] = (unsigned char)value;
		text += n;
		if (*text == '\0')
			return i + 1;
		text++;
	}
	return -1;
}

/* Nothing but digits and dots: it is compared with the address as text and with nothing else. */
static const char *parse_numeric(const char *text, struct hosts_pattern *p)
{
	const size_t n = strlen(text);
	const int octets = parse_octets(text, &p->net);

	if (text[0] == '.')
		return "the end of an address is no rule";
	p->kind = HOSTS_NET;
	if (octets < 1 || (octets == 4) != (text[n - 1] != '.'))
		p->kind = HOSTS_NEVER;
	else
		p->net.bits = 96 + 8 * (unsigned)octets;
	return NULL;
}

/* The number of ones in front, -1 when there are others. */
static int mask_bits(const unsigned char m[4])
{
	int bits = 0;

	while (bits < 32 && (m[bits / 8] & (0x80 >> bits % 8)) != 0)
		bits++;
	for (int i = bits; i < 32; i++)
		if ((m[i / 8] & (0x80 >> i % 8)) != 0)
			return -1;
	return bits;
}

static bool cut_network(struct hosts_net *net)
{
	bool whole = true;

	for (unsigned i = net->bits; i < 128; i++) {
		unsigned char *b = &net->base.byte[i / 8];
		const unsigned bit = 0x80u >> i % 8;

		whole = whole && (*b & bit) == 0;
		*b = (unsigned char)(*b & ~bit);
	}
	return whole;
}

static const char *parse_v4_net(const char *net, const char *mask, struct hosts_pattern *p)
{
	struct hosts_net m;
	unsigned long bits;
	int ones;

	if (parse_octets(net, &p->net) != 4 || net[strlen(net) - 1] == '.')
		return no_network;
	p->kind = HOSTS_NET;
	if (num_parse(mask, 0, 32, &bits) == NULL) {
		ones = (int)bits;
		if (bits == 0) /* no mask for libwrap, but 0.0.0.0 is one */
			p->kind = HOSTS_NEVER;
	} else {
		if (parse_octets(mask, &m) != 4 || mask[strlen(mask) - 1] == '.')
			return no_network;
		ones = mask_bits(m.base.byte + 12);
		if (ones == 32)
			p->kind = HOSTS_NEVER; /* it is INADDR_NONE */
	}
	if (ones == -1)
		return "a mask with holes is no rule";
	p->net.bits = 96 + (unsigned)ones;
	if (!cut_network(&p->net))
		p->kind = HOSTS_NEVER;
	return NULL;
}

/* [address] or [address]/bits; what is behind bits does not count. */
static const char *parse_v6_net(char *text, struct hosts_pattern *p)
{
	char *end = strchr(text, ']');
	unsigned long bits = 128;

	if (end == NULL)
		return no_network;
	*end = '\0';
	if (strchr(text, ':') == NULL || addr_parse(text + 1, &p->net.base) != NULL)
		return no_network;
	if (end[1] != '\0' && (end[1] != '/' || num_parse(end + 2, 0, 128, &bits) != NULL))
		return no_network;
	p->net.bits = (unsigned)bits;
	p->net.is_v4 = false;
	/* an IPv4 client is never ::ffff:a.b.c.d there */
	p->kind = bits >= 96 && addr_is_v4(&p->net.base) ? HOSTS_NEVER : HOSTS_NET;
	cut_network(&p->net);
	return NULL;
}

static const struct word {
	const char *text;
	enum hosts_kind kind;
} words[] = {
	{ "ALL", HOSTS_ALL },
	{ "KNOWN", HOSTS_KNOWN },
	{ "UNKNOWN", HOSTS_UNKNOWN },
	{ "LOCAL", HOSTS_LOCAL },
};

static bool is_name(const char *text)
{
	for (; *text != '\0'; text++)
		if (!((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') ||
			    strchr("-_.", *text)))
			return false;
	return true;
}

static const char *parse_name(const char *text, struct hosts_pattern *p)
{
	const size_t n = strlen(text);

	if (text[n - 1] == '.')
		return "the beginning of a name is no rule";
	p->name = copied(text);
	lower(p->name);
	if (!is_name(p->name))
		return "is no name";
	p->kind = text[0] == '.' ? HOSTS_SUFFIX : HOSTS_NAME;
	return NULL;
}

static const char *parse_host(char *text, struct hosts_pattern *p)
{
	char *slash;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(text, words[i].text) == 0) {
			p->kind = words[i].kind;
			return NULL;
		}
	if (strcasecmp(text, "PARANOID") == 0)
		return "a name that its addresses deny is no name for rules";
	if (text[0] == '@')
		return "a netgroup is no rule";
	if (text[0] == '/')
		return "a file of patterns is no rule: put its lines here";
	if (strpbrk(text, "*?") != NULL)
		return "a wildcard is no rule";
	if (text[0] == '[')
		return parse_v6_net(text, p);
	slash = strchr(text, '/');
	if (slash != NULL) {
		*slash = '\0';
		return parse_v4_net(text, slash + 1, p);
	}
	if (strspn(text, "0123456789.") == strlen(text))
		return parse_numeric(text, p);
	return parse_name(text, p);
}

static const char *parse_client(char *text, struct hosts_pattern *p)
{
	char *at = strchr(text + 1, '@');

	memset(p, 0, sizeof *p);
	if (at == NULL)
		return parse_host(text, p);
	*at = '\0';
	/* anybody who may have a name: that is the host's business only */
	return strcasecmp(text, "ALL") == 0 ? parse_host(at + 1, p) : "user@host is no rule";
}

static void add_pattern(struct hosts_allow *h, struct hosts_line *l, char *text, unsigned level)
{
	char *shown = copied(text);
	struct hosts_pattern p;
	const char *wrong = parse_client(text, &p);

	p.level = level;
	if (wrong != NULL)
		hosts_allow_refuse(h, l, wrong, shown);
	else if (p.kind == HOSTS_NEVER)
		say("warning", l, "matches nobody", shown);
	free(shown);
	h->pattern = grown(h->pattern, h->patterns, sizeof p);
	h->pattern[h->patterns++] = p;
	l->count++;
}

static void parse_clients(struct hosts_allow *h, struct hosts_line *l, char *list)
{
	unsigned level = 0;
	char *state, *word;

	l->first = h->patterns;
	for (word = strtok_r(list, separators, &state); word; word = strtok_r(NULL, separators, &state))
		if (strcasecmp(word, "EXCEPT") == 0)
			level++;
		else
			add_pattern(h, l, word, level);
	l->levels = level + 1;
}

/* ---- daemons -------------------------------------------------------------------------------------- */

/* NULL and *matches, or what rules cannot answer: they have one daemon and no address of its own. */
static const char *match_daemon(const struct hosts_allow *h, const char *word, bool *matches)
{
	const char *at = strchr(word + 1, '@');
	const size_t n = at == NULL ? strlen(word) : (size_t)(at - word);
	char name[HOSTS_ALLOW_LINE + 1];

	memcpy(name, word, n);
	name[n] = '\0';
	*matches = strcasecmp(name, "ALL") == 0 || strcasecmp(name, "KNOWN") == 0 ||
		   strcasecmp(name, h->daemon) == 0;
	if (strpbrk(name, "*?@/[") != NULL || name[0] == '.' || name[n - 1] == '.')
		return "this pattern of daemons is not understood: write names";
	if (strspn(name, "0123456789") == n)
		return "a port as a daemon is not understood: write its name";
	return at != NULL && *matches ? "a daemon@address is no rule" : NULL;
}

/* As list EXCEPT list EXCEPT list: an odd number of levels that match, counted from the first. */
static bool match_daemons(struct hosts_allow *h, const struct hosts_line *l, char *list)
{
	bool hit = false, answer = false;
	unsigned depth = 0;
	char *state, *word;

	for (word = strtok_r(list, separators, &state); word; word = strtok_r(NULL, separators, &state)) {
		const char *wrong;
		bool matches = false;

		if (strcasecmp(word, "EXCEPT") == 0) {
			if (!hit)
				return answer;
			depth++;
			hit = false;
			continue;
		}
		wrong = match_daemon(h, word, &matches);
		if (wrong != NULL)
			hosts_allow_refuse(h, l, wrong, word);
		if (matches && !hit) {
			hit = true;
			answer = depth % 2 == 0;
		}
	}
	return answer;
}

/* ---- options -------------------------------------------------------------------------------------- */

static char *trim(char *text)
{
	char *end;

	text += strspn(text, blanks);
	end = text + strlen(text);
	while (end > text && strchr(blanks, end[-1]) != NULL)
		*--end = '\0';
	return text;
}

struct options {
	struct str out; /* ",NAME=qVALUEq" */
	const char *verdict;
	bool closed; /* allow or deny was there: nothing may follow */
};

/* %% is a percent sign; the other letters are known when a client is there, and rules are fixed. */
static const char *expand(char *value)
{
	char *to = value;

	for (; *value != '\0'; value++) {
		if (*value == '%' && *++value != '%')
			return "an expansion is no rule";
		*to++ = *value;
	}
	*to = '\0';
	return NULL;
}

static const char *option_setenv(struct options *o, char *value)
{
	char *rest = value + strcspn(value, " \t");
	const char *wrong;
	char quote;

	if (*rest != '\0')
		*rest++ = '\0';
	rest = trim(rest);
	if (*value == '\0' || strchr(value, '=') != NULL)
		return "setenv needs a name and a value";
	wrong = expand(rest);
	if (wrong != NULL)
		return wrong;
	if (!rules_quote_find(rest, strlen(rest), &quote))
		return "no byte is left to quote this value";
	str_putc(&o->out, ',');
	str_puts(&o->out, value);
	str_putc(&o->out, '=');
	str_putc(&o->out, quote);
	str_puts(&o->out, rest);
	str_putc(&o->out, quote);
	return NULL;
}

static const char *option_verdict(struct options *o, const char *word, const char *value)
{
	if (*value != '\0')
		return "allow and deny take no value";
	o->verdict = word;
	o->closed = true;
	return NULL;
}

static const char *option_ignored(const char *keyword)
{
	/* they change nothing of what the program sees; tcpserver always has keepalive */
	static const char *const harmless[] = { "severity", "keepalive", "rfc931" };

	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		if (strcasecmp(keyword, harmless[i]) == 0)
			return NULL;
	return "rules have no such option";
}

static const char *parse_option(struct options *o, char *text)
{
	char *keyword = trim(text);
	char *value = keyword + strcspn(keyword, " \t=");

	if (*keyword == '\0')
		return "an option is empty, which libwrap denies";
	if (o->closed)
		return "allow and deny come last";
	if (*value != '\0') {
		const char stop = *value;

		*value++ = '\0';
		value += strspn(value, " \t");
		if (stop != '=' && *value == '=')
			value++;
		value = trim(value);
	}
	if (strcasecmp(keyword, "setenv") == 0)
		return option_setenv(o, value);
	if (strcasecmp(keyword, "allow") == 0)
		return option_verdict(o, "allow", value);
	if (strcasecmp(keyword, "deny") == 0)
		return option_verdict(o, "deny", value);
	return option_ignored(keyword);
}

/* Up to the next colon that no backslash protects, whose backslash is taken out. NULL: that was the last. */
static char *split_option(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (text[0] == '\\' && text[1] == ':') {
			*to++ = *++text;
			continue;
		}
		if (*text == ':') {
			*to = '\0';
			return text + 1;
		}
		*to++ = *text;
	}
	*to = '\0';
	return NULL;
}

static void parse_options(struct hosts_allow *h, struct hosts_line *l, char *text, const char *verdict)
{
	char memory[2 * HOSTS_ALLOW_LINE];
	struct options o = { .verdict = verdict };

	str_init(&o.out, memory, sizeof memory);
	while (text != NULL) {
		char *next = split_option(text);
		char *shown = copied(trim(text));
		const char *wrong = parse_option(&o, text);

		if (wrong != NULL)
			hosts_allow_refuse(h, l, wrong, shown);
		free(shown);
		text = next;
	}
	if (o.out.full)
		hosts_allow_refuse(h, l, "too many variables", "setenv");
	/* who is denied sees no variable */
	if (strcmp(o.verdict, "deny") == 0)
		str_reset(&o.out);
	if (asprintf(&l->verdict, "%s%s", o.verdict, o.out.s) == -1)
		die(EXIT_TEMPORARY, "out of memory");
}

/* ---- lines ---------------------------------------------------------------------------------------- */

/* Like strchr for a colon outside of brackets. */
static char *find_colon(char *text)
{
	bool inside = false;

	for (; *text != '\0'; text++) {
		if (*text == '[')
			inside = true;
		else if (*text == ']')
			inside = false;
		else if (*text == ':' && !inside)
			return text;
	}
	return NULL;
}

static void parse_line(struct hosts_allow *h, struct hosts_line *l, char *text, const char *verdict)
{
	char *clients, *options;

	if (text[0] == '#' || text[strspn(text, blanks)] == '\0')
		return;
	clients = find_colon(text);
	if (clients == NULL) {
		if (text[strspn(text, blanks)] != '#')
			hosts_allow_refuse(
				h, l, "there is no colon, and libwrap skips the line", trim(text));
		return;
	}
	*clients++ = '\0';
	if (!match_daemons(h, l, text))
		return;
	options = find_colon(clients);
	if (options != NULL)
		*options++ = '\0';
	parse_clients(h, l, clients);
	parse_options(h, l, options, verdict);
	h->line = grown(h->line, h->lines, sizeof *l);
	h->line[h->lines++] = *l;
}

/* One line with those that a backslash at its end joins to it. False at the end of the file. */
static bool read_line(struct hosts_allow *h, FILE *from, struct hosts_line *l, struct str *text)
{
	char *part = NULL;
	size_t room = 0;
	ssize_t n;
	bool more = true, any = false;

	str_reset(text);
	while (more && (n = getline(&part, &room, from)) != -1) {
		any = true;
		l->number++;
		more = n >= 2 && part[n - 2] == '\\' && part[n - 1] == '\n';
		if (part[n - 1] != '\n')
			hosts_allow_refuse(h, l, "there is no newline, and libwrap skips the line", part);
		if (memchr(part, '\0', (size_t)n) != NULL)
			hosts_allow_refuse(h, l, "there is a NUL byte in the line", part);
		str_put(text, part, (size_t)(more ? n - 2 : n));
	}
	free(part);
	if (text->full) {
		hosts_allow_refuse(h, l, "the line is too long for libwrap", text->s);
		str_reset(text);
	}
	return any;
}

int hosts_allow_read(struct hosts_allow *h, FILE *from, const char *file, const char *verdict)
{
	char memory[HOSTS_ALLOW_LINE + 1];
	struct str text;
	unsigned long number = 0;

	str_init(&text, memory, sizeof memory);
	for (;;) {
		struct hosts_line l = { .file = file, .number = number };

		if (!read_line(h, from, &l, &text))
			break;
		number = l.number;
		parse_line(h, &l, text.s, verdict);
	}
	return ferror(from) ? -1 : 0;
}
