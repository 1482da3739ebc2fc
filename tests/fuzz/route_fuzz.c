/* Control files and a recipient from anywhere: an answer, and an address that can be one. Texts are separated by
 * 0xff: recipient, locals, percenthack, virtualdomains, envnoathost. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/route_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXTS = 5, ROOM = 300 };

/* The next text, NUL-terminated, in memory of its size. */
static char *cut(const uint8_t **data, size_t *size, size_t *n)
{
	const uint8_t *end = *size > 0 ? memchr(*data, 0xff, *size) : NULL;
	char *text;

	*n = end != NULL ? (size_t)(end - *data) : *size;
	text = malloc(*n + 1);
	if (text == NULL)
		abort();
	if (*n > 0)
		memcpy(text, *data, *n);
	text[*n] = '\0';
	*data += *n + (end != NULL);
	*size -= *n + (end != NULL);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text[TEXTS], *memory = malloc(ROOM);
	size_t n[TEXTS];
	struct control_list list[3];
	struct route_rules r;
	struct str to;
	enum route where;

	for (int i = 0; i < TEXTS; i++)
		text[i] = cut(&data, &size, &n[i]);
	for (int i = 0; i < 3; i++)
		control_list_of(text[i + 1], n[i + 1], &list[i]);
	r.envnoathost = text[4];
	if (memory == NULL || route_keys_init(&r.locals, &list[0], false) == -1 ||
		route_keys_init(&r.percenthack, &list[1], false) == -1 ||
		route_keys_init(&r.virtualdomains, &list[2], true) == -1)
		abort();
	str_init(&to, memory, ROOM);
	where = route_rewrite(&r, text[0], &to);
	if (where != ROUTE_TOO_LONG && (strlen(to.s) != to.len || strchr(to.s, '@') == NULL))
		abort();
	if (where == ROUTE_LOCAL && r.locals.count + r.virtualdomains.count == 0)
		abort();
	if (where == ROUTE_TOO_LONG && strlen(text[0]) + n[3] + n[4] + 2 < ROOM)
		abort();
	route_keys_free(&r.locals);
	route_keys_free(&r.percenthack);
	route_keys_free(&r.virtualdomains);
	for (int i = 0; i < TEXTS; i++)
		free(text[i]);
	free(memory);
	return 0;
}
