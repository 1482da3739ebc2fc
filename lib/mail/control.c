#include "mail/control.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/num.h"

enum { FILE_MAX = 64 * 1024 * 1024, SHORT_FILES = 4096 };

/* Most files are a line or two, and malloc's first page costs a program of one connection a tenth of its CPU
 * time. What does not fit together gets memory of its own. */
static char memory[SHORT_FILES];

static enum control read_file(int dir, const char *name, char **text, size_t *n)
{
	static size_t used;
	ssize_t len = fs_read_all(dir, name, memory + used, sizeof memory - used);

	if (len != -1) {
		*text = memory + used;
		used += (size_t)len + 1;
	} else if (errno == EFBIG) {
		len = fs_read_file(dir, name, FILE_MAX, text);
	}
	if (len == -1)
		return errno == ENOENT ? CONTROL_MISSING : CONTROL_ERROR;
	*n = (size_t)len;
	return CONTROL_READ;
}

void control_free(const char *text)
{
	const uintptr_t at = (uintptr_t)text, from = (uintptr_t)memory;

	if (at < from || at >= from + sizeof memory)
		free((void *)text);
}

static size_t trimmed(const char *line, size_t n)
{
	while (n > 0 && strchr(" \t\r\n", line[n - 1]) != NULL && line[n - 1] != '\0')
		n--;
	return n;
}

enum control control_line(int dir, const char *name, const char **out)
{
	char *text;
	size_t n;
	enum control got = read_file(dir, name, &text, &n);

	if (got != CONTROL_READ)
		return got;
	text[trimmed(text, strcspn(text, "\n"))] = '\0';
	*out = text;
	return got;
}

enum control control_number(int dir, const char *name, unsigned long *out)
{
	const char *line;
	enum control got = control_line(dir, name, &line);

	if (got == CONTROL_READ && num_leading(line, strlen(line), out) == 0)
		return CONTROL_MISSING;
	return got;
}

void control_list_of(char *text, size_t n, struct control_list *out)
{
	size_t from = 0, to = 0;

	while (from < n) {
		const char *lf = memchr(text + from, '\n', n - from);
		size_t line = lf != NULL ? (size_t)(lf - text) - from : n - from;
		size_t keep = trimmed(text + from, line);

		if (keep > 0 && text[from] != '#') {
			memmove(text + to, text + from, keep);
			to += keep;
			text[to++] = '\0';
		}
		from += line + 1;
	}
	*out = (struct control_list){ .items = text, .bytes = to };
}

enum control control_list(int dir, const char *name, struct control_list *out)
{
	char *text;
	size_t n;
	enum control got = read_file(dir, name, &text, &n);

	if (got == CONTROL_READ)
		control_list_of(text, n, out);
	return got;
}

bool control_has(const struct control_list *list, const char *item)
{
	for (size_t at = 0; at < list->bytes; at += strlen(list->items + at) + 1)
		if (strcasecmp(list->items + at, item) == 0)
			return true;
	return false;
}
