#include "smtpd/policy_kept.h"

#include <string.h>

void policy_kept_init(struct policy_kept *k)
{
	str_init(&k->headers.text, k->header_bytes, sizeof k->header_bytes);
	str_init(&k->tags.text, k->tag_bytes, sizeof k->tag_bytes);
}

static void begin_trail(struct policy_trail *t, enum policy_scope scope)
{
	t->text.len = t->start[scope];
	t->text.s[t->text.len] = '\0';
	t->text.full = false;
	for (unsigned i = scope; i < POLICY_SCOPES; i++)
		t->start[i] = t->text.len;
}

void policy_kept_begin(struct policy_kept *k, enum policy_scope scope)
{
	begin_trail(&k->headers, scope);
	begin_trail(&k->tags, scope);
	k->headers_written = 0;
	for (unsigned i = scope; i < POLICY_SCOPES; i++) {
		k->discard[i] = false;
		k->queue[i][0] = '\0';
	}
}

/* A policy that is asked for each recipient says the same of each: once is enough. */
static bool has_header(const struct str *headers, const char *header)
{
	const size_t n = strlen(header);

	for (const char *at = headers->s; (at = strstr(at, header)) != NULL; at++)
		if ((at == headers->s || at[-1] == '\n') && at[n] == '\n')
			return true;
	return false;
}

static void keep_headers(struct str *headers, const struct policy_items *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (has_header(headers, list->item[i]))
			continue;
		str_puts(headers, list->item[i]);
		str_putc(headers, '\n');
	}
}

static bool has_tag(const struct str *tags, const char *tag)
{
	const size_t n = strlen(tag);

	for (const char *at = tags->s; *at != '\0'; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == n && memcmp(at, tag, n) == 0)
			return true;
	return false;
}

static void keep_tags(struct str *tags, const struct policy_items *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (has_tag(tags, list->item[i]))
			continue;
		if (tags->len > 0)
			str_putc(tags, ',');
		str_puts(tags, list->item[i]);
	}
}

/* What stands behind end is taken back. */
static void end_addition(struct policy_trail *t, enum policy_scope scope, size_t end)
{
	t->text.len = end;
	t->text.s[end] = '\0';
	t->text.full = false;
	for (unsigned i = scope + 1u; i < POLICY_SCOPES; i++)
		t->start[i] = end;
}

/* All that an answer says, or nothing of it. */
const char *policy_kept_add(struct policy_kept *k, enum policy_scope scope, const struct policy_answer *a)
{
	struct str *headers = &k->headers.text, *tags = &k->tags.text;
	const size_t headers_before = headers->len, tags_before = tags->len;
	const char *wrong;

	if (strlen(a->queue) >= POLICY_QUEUE)
		return "names a queue of more than 63 bytes";
	keep_headers(headers, &a->header);
	keep_tags(tags, &a->tag);
	if (headers->len > k->header_bytes_used)
		k->header_bytes_used = headers->len;
	wrong = headers->full ? "has too many headers" : tags->full ? "has too many tags" : NULL;
	end_addition(&k->headers, scope, wrong == NULL ? headers->len : headers_before);
	end_addition(&k->tags, scope, wrong == NULL ? tags->len : tags_before);
	if (wrong != NULL)
		return wrong;
	if (a->queue[0] != '\0')
		memcpy(k->queue[scope], a->queue, strlen(a->queue) + 1);
	if (a->action == POLICY_DISCARD)
		k->discard[scope] = true;
	return NULL;
}

bool policy_kept_discards(const struct policy_kept *k)
{
	return k->discard[POLICY_OF_SESSION] || k->discard[POLICY_OF_HELO] ||
	       k->discard[POLICY_OF_TRANSACTION];
}

const char *policy_kept_queue(const struct policy_kept *k)
{
	for (int i = POLICY_OF_TRANSACTION; i >= POLICY_OF_SESSION; i--)
		if (k->queue[i][0] != '\0')
			return k->queue[i];
	return "";
}
