#include "queue/route_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- lists --------------------------------------------------------------------------------------------- */

static int compare(const struct route_key *a, const char *key, size_t n)
{
	const int by_text = strncasecmp(a->key, key, a->n < n ? a->n : n);

	return by_text != 0 ? by_text : (a->n > n) - (a->n < n);
}

/* Equal keys in the order of their lines: as the items are, one behind another. */
static int by_key(const void *a, const void *b)
{
	const struct route_key *x = a, *y = b;
	const int by_text = compare(x, y->key, y->n);

	return by_text != 0 ? by_text : (x->key > y->key) - (x->key < y->key);
}

static size_t count_items(const struct control_list *list)
{
	size_t count = 0;

	for (size_t at = 0; at < list->bytes; at += strlen(list->items + at) + 1)
		count++;
	return count;
}

int route_keys_init(struct route_keys *k, const struct control_list *list, bool colon)
{
	const size_t count = count_items(list);

	*k = (struct route_keys){ .count = 0 };
	if (count == 0)
		return 0;
	k->sorted = calloc(count, sizeof *k->sorted);
	if (k->sorted == NULL)
		return -1;
	for (size_t at = 0; at < list->bytes; at += strlen(list->items + at) + 1) {
		const char *item = list->items + at;
		const char *end = colon ? strchr(item, ':') : item + strlen(item);

		if (end != NULL)
			k->sorted[k->count++] = (struct route_key){
				.key = item, .n = (size_t)(end - item), .value = colon ? end + 1 : ""
			};
	}
	qsort(k->sorted, k->count, sizeof *k->sorted, by_key);
	return 0;
}

void route_keys_free(struct route_keys *k)
{
	free(k->sorted);
	*k = (struct route_keys){ .count = 0 };
}

/* The value of the last of equal keys; NULL: none. */
static const char *find(const struct route_keys *k, const char *key, size_t n)
{
	size_t from = 0, to = k->count;

	while (from < to) {
		const size_t middle = from + (to - from) / 2;

		if (compare(&k->sorted[middle], key, n) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from > 0 && compare(&k->sorted[from - 1], key, n) == 0 ? k->sorted[from - 1].value : NULL;
}

/* ---- an address ---------------------------------------------------------------------------------------- */

/* Where the last c of the first n bytes stands; n: nowhere. */
static size_t last(const char *p, size_t n, char c)
{
	const char *found = memrchr(p, c, n);

	return found != NULL ? (size_t)(found - p) : n;
}

/* "a%b@hack" is "a@b", again and again; at is the last '@'. */
static void undo_percents(const struct route_keys *percenthack, struct str *a, size_t at)
{
	while (find(percenthack, a->s + at + 1, a->len - at - 1) != NULL) {
		const size_t percent = last(a->s, at, '%');

		if (percent == at)
			break;
		a->s[percent] = '@';
		a->s[at] = '\0';
		a->len = at;
		at = percent;
	}
}

static bool is_tried(const struct str *a, size_t i, size_t at)
{
	return i == 0 || i == at + 1 || i == a->len || (i > at && a->s[i] == '.');
}

/* NULL: nothing is said of it. */
static const char *prefix_of(const struct route_keys *virtualdomains, const struct str *a, size_t at)
{
	for (size_t i = 0; i <= a->len; i++) {
		const char *value;

		if (is_tried(a, i, at) && (value = find(virtualdomains, a->s + i, a->len - i)) != NULL)
			return value;
	}
	return NULL;
}

static enum route put_before(struct str *a, const char *prefix)
{
	const size_t n = strlen(prefix);

	if (a->len + n + 1 >= a->cap)
		return ROUTE_TOO_LONG;
	memmove(a->s + n + 1, a->s, a->len + 1);
	memcpy(a->s, prefix, n);
	a->s[n] = '-';
	a->len += n + 1;
	return ROUTE_LOCAL;
}

enum route route_rewrite(const struct route_rules *r, const char *recipient, struct str *to)
{
	const char *prefix;
	size_t at;

	str_reset(to);
	str_puts(to, recipient);
	at = last(to->s, to->len, '@');
	if (at == to->len) {
		str_putc(to, '@');
		str_puts(to, r->envnoathost);
	}
	if (to->full)
		return ROUTE_TOO_LONG;
	undo_percents(&r->percenthack, to, at);
	at = last(to->s, to->len, '@'); /* that of envnoathost may be another one */
	if (find(&r->locals, to->s + at + 1, to->len - at - 1) != NULL)
		return ROUTE_LOCAL;
	prefix = prefix_of(&r->virtualdomains, to, at);
	return prefix == NULL || *prefix == '\0' ? ROUTE_REMOTE : put_before(to, prefix);
}
