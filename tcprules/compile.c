#include "tcprules/compile.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "tcprules/rules_address.h"
#include "tcprules/rules_text.h"

enum {
	READ = 256 * 1024,
	HUGE_PAGE = 2 << 20,
	LATE = 4 * HUGE_PAGE,
	LATE_FIRST = 64 * 1024, /* of small pages: most files have a few networks */
	LENGTHS = ADDR_BITS - ADDR_V4_BITS + 1,
};

/* What was read and not yet taken; grows with the longest line. */
struct input {
	int fd;
	bool ended;
	char *block;
	size_t room;
	size_t from;
	size_t to;
};

/* A rule of an IPv4 network has to wait for all classic ones. */
struct late {
	struct late *next; /* of its length, in the order of the text */
	uint32_t info_len;
	uint32_t data_len;
	unsigned char v4[4];
	char text[]; /* info, data */
};

/* Memory for them, never moved: there may be a million. */
struct block {
	struct block *next;
};

struct compile {
	struct rules_make *make;
	const char *temporary; /* for messages */
	struct rules_finding_list *cannot_match;
	struct input input;
	unsigned long number; /* of the line */
	char *data;
	char *key;
	char *rest;      /* of the last line with a plain address, whose data is still there */
	size_t room;     /* of each of the three: grows with the longest line */
	size_t rest_len; /* 0: it is not */
	size_t data_len;
	struct block *blocks;
	char *late; /* room for the next one */
	size_t late_room;
	struct late *late_first[LENGTHS];
	struct late *late_last[LENGTHS];
};

static void *need(void *p)
{
	if (p == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return p;
}

/* The whole line, however long, up to a NUL. */
static _Noreturn void die_bad_line(const char *line, size_t n)
{
	static const char before[] = "tcprules: fatal: unable to parse this line: ";
	const struct iovec parts[] = {
		{ (char *)before, sizeof before - 1 },
		{ (char *)line, strnlen(line, n) },
		{ (char *)"\n", 1 },
	};

	if (writev(2, parts, sizeof parts / sizeof parts[0]) == -1)
		_exit(EXIT_PERMANENT); /* the same, but nobody heard it */
	_exit(EXIT_PERMANENT);
}

_Noreturn void compile_die_write(const char *temporary)
{
	die(EXIT_TEMPORARY, "unable to write to %s: %s", temporary, errtext(errno));
}

/* ---- lines ----------------------------------------------------------------------------------------- */

static void read_more(struct input *in)
{
	ssize_t n;

	if (in->from > 0)
		memmove(in->block, in->block + in->from, in->to - in->from);
	in->to -= in->from;
	in->from = 0;
	if (in->to == in->room) {
		in->room = in->room == 0 ? READ : in->room * 2;
		in->block = need(realloc(in->block, in->room));
	}
	do
		n = read(in->fd, in->block + in->to, in->room - in->to);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		die(EXIT_TEMPORARY, "unable to read input: %s", errtext(errno));
	in->ended = n == 0;
	in->to += (size_t)n;
}

/* The next line without its newline, which the last one may lack. It lives until the next call. */
static const char *next_line(struct input *in, size_t *n)
{
	size_t seen = 0; /* without a newline */
	const char *line, *newline = NULL;

	for (;;) {
		const size_t unseen = in->to - in->from - seen;

		if (unseen > 0)
			newline = memchr(in->block + in->from + seen, '\n', unseen);
		if (newline != NULL || in->ended)
			break;
		seen += unseen;
		read_more(in);
	}
	if (newline == NULL && in->from == in->to)
		return NULL;
	line = in->block + in->from;
	*n = newline == NULL ? in->to - in->from : (size_t)(newline - line);
	in->from += *n + (newline != NULL);
	return line;
}

static void open_room(struct compile *c, size_t line_len)
{
	const size_t room = line_len + RULES_TEXT_KEY;

	if (room <= c->room)
		return;
	c->room = room < SIZE_MAX / 2 ? room * 2 : room;
	free(c->data);
	free(c->key);
	free(c->rest);
	c->data = need(malloc(c->room));
	c->key = need(malloc(c->room));
	c->rest = need(malloc(c->room));
}

/* ---- records --------------------------------------------------------------------------------------- */

static void add(struct compile *c, const char *key, size_t key_len, const char *data, size_t data_len)
{
	if (rules_make_add(c->make, key, key_len, data, data_len) == -1)
		compile_die_write(c->temporary);
}

static void add_keys(struct compile *c, struct rules_text *t, const char *data, size_t data_len)
{
	struct str key;

	str_init(&key, c->key, c->room);
	while (rules_text_key(t, &key)) {
		add(c, key.s, key.len, data, data_len);
		str_reset(&key);
	}
}

static void new_block(struct compile *c, size_t at_least)
{
	const bool is_first = c->blocks == NULL;
	size_t size = is_first ? LATE_FIRST : LATE;
	struct block *b;

	if (at_least > size - sizeof *b)
		size = (at_least / HUGE_PAGE + 2) * HUGE_PAGE;
	b = need(aligned_alloc(is_first ? sizeof(max_align_t) : HUGE_PAGE, size));
	if (!is_first)
		(void)madvise(b, size, MADV_HUGEPAGE); /* only to be faster */
	b->next = c->blocks;
	c->blocks = b;
	c->late = (char *)(b + 1);
	c->late_room = size - sizeof *b;
}

static struct late *new_late(struct compile *c, size_t text_len)
{
	const size_t align = _Alignof(struct late);
	const size_t size = (offsetof(struct late, text) + text_len + align - 1) / align * align;
	struct late *l;

	if (c->late == NULL || size > c->late_room)
		new_block(c, size);
	l = (struct late *)(void *)c->late;
	c->late += size;
	c->late_room -= size;
	return l;
}

static void keep_late(struct compile *c, const struct rules_text *t, const struct str *data)
{
	const unsigned list = t->bits - ADDR_V4_BITS;
	struct late *l;

	if (data->len > UINT32_MAX || t->left > UINT32_MAX) {
		errno = EFBIG;
		compile_die_write(c->temporary);
	}
	l = new_late(c, t->left + data->len);
	l->next = NULL;
	l->info_len = (uint32_t)t->left;
	l->data_len = (uint32_t)data->len;
	memcpy(l->v4, t->net.byte + 12, sizeof l->v4);
	memcpy(l->text, t->address, t->left);
	memcpy(l->text + t->left, data->s, data->len);
	if (c->late_last[list] == NULL)
		c->late_first[list] = l;
	else
		c->late_last[list]->next = l;
	c->late_last[list] = l;
}

/* The longest first, and of these the first line. */
static void add_late(struct compile *c)
{
	for (unsigned list = LENGTHS; list-- > 0;)
		for (const struct late *l = c->late_first[list]; l != NULL; l = l->next) {
			struct rules_text t;

			rules_text_of_v4(&t, l->text, l->info_len, l->v4, list);
			add_keys(c, &t, l->text + l->info_len, l->data_len);
		}
}

static void free_late(struct compile *c)
{
	while (c->blocks != NULL) {
		struct block *b = c->blocks;

		c->blocks = b->next;
		free(b);
	}
}

/* How long the address is when it is four numbers, with which nothing can be wrong; else 0. */
static size_t plain_address(const char *line, size_t n)
{
	const char *p = line, *end = line + n;

	for (int numbers = 1; p < end; numbers++) {
		unsigned value = (unsigned)(unsigned char)*p++ - '0';

		if (value > 9)
			return 0;
		while (p < end && *p >= '0' && *p <= '9') {
			if (value == 0 || value > 25)
				return 0;
			value = value * 10 + (unsigned)(*p++ - '0');
		}
		if (value > 255 || p == end || *p != (numbers == 4 ? ':' : '.'))
			return 0;
		if (numbers == 4)
			return (size_t)(p - line);
		p++;
	}
	return 0;
}

static void check_line(struct compile *c, const char *line, size_t n, const struct rules_text *t)
{
	const struct rules_finding *f =
		t->is_rule ? rules_address_check(t) : rules_address_skipped(line, n);

	if (f != NULL)
		rules_finding_keep(c->cannot_match, f, c->number, t->is_rule ? t->address : line,
			t->is_rule ? t->address_len : n);
}

/* What is behind the address, and has been parsed into data. */
static void keep_rest(struct compile *c, const char *rest, size_t n, const struct str *data)
{
	memcpy(c->rest, rest, n);
	c->rest_len = n;
	c->data_len = data->len;
}

static void compile_line(struct compile *c, const char *line, size_t n)
{
	const size_t plain = plain_address(line, n), whole = n;
	struct rules_text t;
	struct str data;

	c->number++;
	/* nearly all lines of a large text: an address, and the words of the line before */
	if (plain > 0 && c->rest != NULL && n - plain == c->rest_len &&
		memcmp(line + plain, c->rest, c->rest_len) == 0) {
		add(c, line, plain, c->data, c->data_len);
		return;
	}
	n = rules_text_trim(line, n);
	open_room(c, whole);
	str_init(&data, c->data, c->room);
	c->rest_len = 0;
	if (rules_text_parse(line, n, &t, &data) != NULL)
		die_bad_line(line, n);
	if (plain == 0)
		check_line(c, line, n, &t);
	if (t.is_late)
		keep_late(c, &t, &data);
	else
		add_keys(c, &t, data.s, data.len);
	if (plain > 0 && t.is_rule)
		keep_rest(c, line + plain, whole - plain, &data);
}

void compile_rules(
	int input, struct rules_make *make, const char *temporary, struct rules_finding_list *cannot_match)
{
	struct compile c = {
		.make = make, .temporary = temporary, .cannot_match = cannot_match, .input = { .fd = input }
	};
	const char *line;
	size_t n;

	while ((line = next_line(&c.input, &n)) != NULL)
		compile_line(&c, line, n);
	add_late(&c);
	free_late(&c);
	free(c.input.block);
	free(c.data);
	free(c.key);
	free(c.rest);
}
