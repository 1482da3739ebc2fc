#include "tcprules/rules_explain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/str.h"
#include "net/addr.h"
#include "tcprules/compile.h"
#include "tcprules/rules_text.h"
#include "tcprules/rules_verdict.h"

/* What came in, where it can be read twice and has a path. */
struct source {
	int fd;
	char *text; /* NULL: a cdb */
	size_t size;
	char path[32];
};

static _Noreturn void die_read(void)
{
	die(EXIT_TEMPORARY, "unable to read input: %s", errtext(errno));
}

static void open_memory(int *fd, char path[32])
{
	*fd = memfd_create("rules", MFD_CLOEXEC);
	if (*fd == -1)
		die(EXIT_TEMPORARY, "unable to hold the rules in memory: %s", errtext(errno));
	snprintf(path, 32, "/proc/self/fd/%d", *fd);
}

static void read_input(int input, struct source *s)
{
	char part[65536];
	ssize_t n;

	open_memory(&s->fd, s->path);
	while ((n = read(input, part, sizeof part)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			die_read();
		s->size += (size_t)n;
		if (s->size > RULES_FILE_MAX) {
			errno = EFBIG;
			die_read();
		}
		if (fs_write_all(s->fd, part, (size_t)n) == -1)
			die_read();
	}
}

static void read_text(struct source *s)
{
	if (fs_read_file(AT_FDCWD, s->path, RULES_FILE_MAX, &s->text) == -1)
		die_read();
	if (memchr(s->text, '\0', s->size) != NULL)
		die(EXIT_TEMPORARY, "the input is no text and no whole cdb");
}

/* The rules of the text as tcpserver will have them. */
static struct rules *compile(struct source *s, char path[32])
{
	struct rules_finding_list cannot_match = { .count = 0 }; /* --check shows them */
	struct rules_make *make;
	struct rules *rules;
	int fd;

	open_memory(&fd, path);
	make = rules_make_open(fd);
	if (make == NULL || lseek(s->fd, 0, SEEK_SET) == -1)
		die_read();
	compile_rules(s->fd, make, "memory", &cannot_match);
	if (rules_make_finish(make) == -1)
		compile_die_write("memory");
	rules = rules_open(path);
	if (rules == NULL || rules_refresh(rules) == -1)
		die_read();
	close(fd);
	return rules;
}

static struct rules *open_source(struct source *s, char path[32])
{
	struct rules *rules = rules_open(s->path);

	if (rules == NULL)
		die_read();
	if (rules_refresh(rules) == 0)
		return rules;
	rules_close(rules);
	read_text(s);
	return compile(s, path);
}

/* ---- which line ----------------------------------------------------------------------------------- */

struct search {
	const struct rules_verdict *verdict;
	unsigned rank; /* of that line: what is classic counts before our networks, longer ones first */
	unsigned long number; /* of the line that counts, 0: none yet */
	const char *line;
	size_t len;
};

static bool line_has_key(struct rules_text *t, const struct search *s, struct str *key)
{
	while (rules_text_key(t, key)) {
		if (key->len == s->verdict->key_len && memcmp(key->s, s->verdict->key, key->len) == 0)
			return true;
		str_reset(key);
	}
	return false;
}

static char *new_room(size_t n)
{
	char *memory = malloc(n);

	if (memory == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return memory;
}

static void search_line(struct search *s, const char *line, size_t n, unsigned long number)
{
	const size_t room = n + RULES_TEXT_KEY;
	char *data_memory = new_room(room), *key_memory = new_room(room);
	struct rules_text t;
	struct str data, key;
	unsigned rank;

	n = rules_text_trim(line, n);
	str_init(&data, data_memory, room);
	str_init(&key, key_memory, room);
	if (rules_text_parse(line, n, &t, &data) != NULL)
		t.is_rule = false;
	rank = t.is_late ? t.bits + 1 : ADDR_BITS + 2;
	if (t.is_rule && rank > s->rank && line_has_key(&t, s, &key)) {
		s->rank = rank;
		s->number = number;
		s->line = line;
		s->len = n;
	}
	free(data_memory);
	free(key_memory);
}

static void search_text(struct search *s, const struct source *from)
{
	const char *p = from->text, *end = p + from->size;

	for (unsigned long number = 1; p < end; number++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *stop = newline == NULL ? end : newline;

		search_line(s, p, (size_t)(stop - p), number);
		p = stop + 1;
	}
}

/* ---- what is said --------------------------------------------------------------------------------- */

struct explain {
	FILE *out;
	const struct source *source;
};

static void print_rule(const struct explain *e, const struct rules_verdict *v)
{
	struct search s = { .verdict = v };

	if (e->source->text != NULL)
		search_text(&s, e->source);
	if (s.number == 0) {
		fputs("found\n", e->out);
		return;
	}
	fprintf(e->out, "line %lu: ", s.number);
	fwrite(s.line, 1, s.len, e->out);
	putc('\n', e->out);
}

static void print_key(void *arg, const char *key, size_t n, const struct rules_verdict *v)
{
	const struct explain *e = arg;

	fputs("tried ", e->out);
	fwrite(key, 1, n, e->out);
	fputs(": ", e->out);
	if (v == NULL)
		fputs("no rule\n", e->out);
	else
		print_rule(e, v);
}

void rules_explain(int input, const struct rules_client *who, FILE *out)
{
	struct source source = { .fd = -1 };
	struct explain e = { .out = out, .source = &source };
	struct rules_verdict verdict;
	struct rules *rules;
	char path[32];

	read_input(input, &source);
	rules = open_source(&source, path);
	rules_trace(rules, print_key, &e);
	if (rules_find(rules, who, &verdict) == -1)
		die_read();
	rules_verdict_print(&verdict, out);
	rules_close(rules);
	close(source.fd);
	free(source.text);
}
