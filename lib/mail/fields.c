#include "mail/fields.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The length of the name of a field that begins here, or 0. */
static size_t name_length(const char *line, size_t n)
{
	size_t i = 0, len;

	while (i < n && line[i] > ' ' && line[i] <= '~' && line[i] != ':')
		i++;
	len = i;
	while (i < n && is_blank(line[i])) /* RFC 5322 section 4.5: old fields */
		i++;
	return i < n && line[i] == ':' ? len : 0;
}

static bool has_name(const struct field *field, const char *name, size_t len)
{
	return field->name_len == len && strncasecmp(field->text, name, len) == 0;
}

static size_t line_length(const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n);

	return end == NULL ? n : (size_t)(end - p) + 1;
}

/* The field that begins here, with the lines that continue it. */
static size_t field_length(const char *p, size_t n)
{
	size_t len = line_length(p, n);

	while (len < n && is_blank(p[len]))
		len += line_length(p + len, n - len);
	return len;
}

size_t fields_parse(struct fields *f, const char *text, size_t n)
{
	size_t at = 0;

	f->count = f->used = 0;
	f->own = FIELDS_MAX;
	f->edited = f->full = f->separated = f->cut = false;
	for (;;) {
		struct field field = { .text = text + at, .name_len = name_length(text + at, n - at) };

		field.len = field_length(text + at, n - at);
		f->cut = field.len == 0 || field.text[field.len - 1] != '\n';
		if (f->cut || field.name_len == 0)
			break;
		if (f->count == FIELDS_MAX) {
			f->full = true;
			break;
		}
		if (f->own == FIELDS_MAX && has_name(&field, "Received", 8))
			f->own = f->count;
		f->list[f->count++] = field;
		at += field.len;
	}
	f->separated = at < n && text[at] == '\n';
	return at;
}

size_t field_value(const struct field *field, bool leading, const char **value)
{
	const char *colon = memchr(field->text, ':', field->len);
	const char *end = field->text + field->len;
	const char *from = colon == NULL ? end : colon + 1;

	if (end > from && end[-1] == '\n')
		end--;
	if (!leading && from < end && *from == ' ') /* one, and no tab: as Sendmail does */
		from++;
	*value = from;
	return (size_t)(end - from);
}

/* ---- edits --------------------------------------------------------------------------------------------- */

static void put(struct fields *f, const char *p, size_t n)
{
	if (f->full || n > sizeof f->room - f->used) {
		f->full = true;
		return;
	}
	memcpy(f->room + f->used, p, n);
	f->used += n;
}

static void put_value(struct fields *f, const char *value)
{
	size_t n = strlen(value);

	while (n > 0 && (value[n - 1] == '\n' || value[n - 1] == '\r'))
		n--;
	for (size_t i = 0; i < n; i++) {
		if (value[i] == '\r')
			continue;
		put(f, &value[i], 1);
		if (value[i] == '\n' && !is_blank(value[i + 1]))
			put(f, "\t", 1);
	}
}

static struct field make(struct fields *f, const char *name, const char *value, bool leading)
{
	struct field field = { .text = f->room + f->used, .name_len = strlen(name) };
	const size_t from = f->used;

	put(f, name, field.name_len);
	put(f, ": ", leading ? 1 : 2);
	put_value(f, value);
	put(f, "\n", 1);
	field.len = f->used - from;
	f->edited = true;
	return field;
}

static void insert(struct fields *f, size_t at, struct field field)
{
	if (f->count == FIELDS_MAX)
		f->full = true;
	if (f->full)
		return;
	memmove(&f->list[at + 1], &f->list[at], (f->count - at) * sizeof f->list[0]);
	f->list[at] = field;
	f->count++;
	if (f->own != FIELDS_MAX && f->own >= at)
		f->own++;
}

static void delete (struct fields *f, size_t at)
{
	f->count--;
	memmove(&f->list[at], &f->list[at + 1], (f->count - at) * sizeof f->list[0]);
	if (f->own != FIELDS_MAX && f->own > at)
		f->own--;
	f->edited = true;
}

void fields_add(struct fields *f, const char *name, const char *value, bool leading)
{
	insert(f, f->count, make(f, name, value, leading));
}

void fields_insert(struct fields *f, uint32_t index, const char *name, const char *value, bool leading)
{
	insert(f, index < f->count ? index : f->count, make(f, name, value, leading));
}

/* Where the index-th field of a name is, or count. */
static size_t find(const struct fields *f, const char *name, uint32_t index)
{
	const size_t len = strlen(name);

	for (size_t i = 0; i < f->count; i++)
		if (i != f->own && has_name(&f->list[i], name, len) && (index <= 1 || --index == 0))
			return i;
	return f->count;
}

void fields_change(struct fields *f, uint32_t index, const char *name, const char *value, bool leading)
{
	const size_t at = find(f, name, index);

	if (value[0] == '\0') {
		if (at < f->count)
			delete (f, at);
		return;
	}
	if (at == f->count)
		fields_add(f, name, value, leading);
	else
		f->list[at] = make(f, name, value, leading);
}
