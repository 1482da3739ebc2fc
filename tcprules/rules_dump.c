#include "tcprules/rules_dump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/str.h"
#include "net/rules.h"
#include "tcprules/rules_quote.h"
#include "tcprules/rules_text.h"

/* A line and what is needed to read it again; grows with the longest record. */
struct dump {
	FILE *out;
	char *line;
	char *key;
	char *data;
	size_t room;
	bool whole; /* nothing was left out */
};

static void open_room(struct dump *d, size_t need)
{
	if (need <= d->room)
		return;
	d->room = need * 2;
	free(d->line);
	free(d->key);
	free(d->data);
	d->line = malloc(d->room);
	d->key = malloc(d->room);
	d->data = malloc(d->room);
	if (d->line == NULL || d->key == NULL || d->data == NULL)
		die(EXIT_TEMPORARY, "out of memory");
}

static bool put_variable(struct str *line, const char *pair)
{
	const char *equals = strchr(pair, '=');
	char quote;

	if (equals == NULL || !rules_quote_find(equals + 1, strlen(equals + 1), &quote))
		return false;
	str_putc(line, ',');
	str_put(line, pair, (size_t)(equals + 1 - pair));
	str_putc(line, quote);
	str_puts(line, equals + 1);
	str_putc(line, quote);
	return true;
}

/* "D\0"? then "+NAME=value\0" ...: the file is verified, so each item has its NUL. */
static bool put_data(struct str *line, const char *data, size_t n)
{
	const char *p = data, *end = data + n;
	const bool deny = p < end && *p == 'D';

	str_puts(line, deny ? ":deny" : ":allow");
	if (deny)
		p += 2;
	for (; p < end; p += strlen(p) + 1)
		if (!put_variable(line, p + 1))
			return false;
	return true;
}

/* Does this line make this record and no other one? */
static bool makes(struct dump *d, const struct str *line, const struct rules_record *r)
{
	const size_t n = rules_text_trim(line->s, line->len);
	struct rules_text t;
	struct str data, key;
	bool same;

	str_init(&data, d->data, d->room);
	str_init(&key, d->key, d->room);
	if (line->full || n != line->len || memchr(line->s, '\n', n) != NULL ||
		rules_text_parse(line->s, n, &t, &data) != NULL || !rules_text_key(&t, &key))
		return false;
	same = key.len == r->key_len && memcmp(key.s, r->key, r->key_len) == 0 && data.len == r->data_len &&
	       memcmp(data.s, r->data, r->data_len) == 0;
	str_reset(&key);
	return same && !rules_text_key(&t, &key);
}

static bool try_line(struct dump *d, struct str *line, const struct rules_record *r)
{
	return put_data(line, r->data, r->data_len) && makes(d, line, r);
}

/* A key with a "-" or a "/" that is part of no range: 10-10.0.0.0/8 makes the key 10.0.0.0/8. */
static bool try_range(struct dump *d, struct str *line, const struct rules_record *r)
{
	const char *p = r->key, *end = p + r->key_len;

	while (p < end) {
		const char *dot = memchr(p, '.', (size_t)(end - p));
		const char *stop = dot == NULL ? end : dot;

		str_init(line, d->line, d->room);
		str_put(line, r->key, (size_t)(stop - r->key));
		str_putc(line, '-');
		str_put(line, p, (size_t)(end - p));
		if (try_line(d, line, r))
			return true;
		p = stop + 1;
	}
	return false;
}

static bool find_line(struct dump *d, struct str *line, const struct rules_record *r)
{
	str_init(line, d->line, d->room);
	str_put(line, r->key, r->key_len);
	return try_line(d, line, r) || try_range(d, line, r);
}

static int dump_record(void *arg, const struct rules_record *r)
{
	struct dump *d = arg;
	struct str line;

	/* a variable of four bytes in the file, "+A=" and a NUL, has six in the text */
	open_room(d, 2 * (r->key_len + r->data_len) + RULES_TEXT_KEY + 64);
	if (find_line(d, &line, r)) {
		fwrite(line.s, 1, line.len, d->out);
		putc('\n', d->out);
		return 0;
	}
	str_init(&line, d->line, d->room);
	str_put_printable(&line, r->key, r->key_len < 256 ? r->key_len : 256);
	warn("no text makes this rule, it is left out: %s", line.s);
	d->whole = false;
	return 0;
}

bool rules_dump(const char *path, FILE *out)
{
	struct dump d = { .out = out, .whole = true };
	struct rules *rules = rules_open(path);

	if (rules == NULL || rules_refresh(rules) == -1 || rules_each(rules, dump_record, &d) == -1)
		die(EXIT_TEMPORARY, "unable to read %s: %s", path, errtext(errno));
	rules_close(rules);
	free(d.line);
	free(d.key);
	free(d.data);
	return d.whole;
}
