/* Rules text: every line that is accepted makes data that the reader accepts, and keys that fit; a key of an
 * IPv6 network is the text of that network. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tcprules/rules_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_data(const struct str *data)
{
	if (data->full || (data->len > 0 && data->s[data->len - 1] != '\0'))
		abort();
}

static void check_net(const struct rules_text *t, const struct str *key)
{
	char line[128], data_memory[64], again_memory[128];
	struct rules_text back;
	struct str s, data, again;

	if (!t->is_net || t->is_late || t->left > 0)
		return;
	str_init(&s, line, sizeof line);
	str_init(&data, data_memory, sizeof data_memory);
	str_init(&again, again_memory, sizeof again_memory);
	str_put(&s, key->s, key->len);
	str_puts(&s, ":deny");
	if (rules_text_parse(s.s, s.len, &back, &data) != NULL || !rules_text_key(&back, &again) ||
		again.len != key->len || memcmp(again.s, key->s, key->len) != 0)
		abort();
}

static void compile(const char *line, size_t n)
{
	struct rules_text t;
	struct str data, key;
	/* exactly the room that the header promises to be enough */
	char *data_memory = malloc(n + 1), *key_memory = malloc(n + RULES_TEXT_KEY);
	int keys = 0;

	if (data_memory == NULL || key_memory == NULL)
		abort();
	str_init(&data, data_memory, n + 1);
	str_init(&key, key_memory, n + RULES_TEXT_KEY);
	if (rules_text_parse(line, rules_text_trim(line, n), &t, &data) == NULL) {
		check_data(&data);
		while (rules_text_key(&t, &key)) {
			if (key.full || ++keys > 256)
				abort();
			check_net(&t, &key);
			str_reset(&key);
		}
	}
	free(data_memory);
	free(key_memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size + 1); /* a read behind the end shows */
	size_t from = 0;

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	while (from < size) {
		const char *newline = memchr(exact + from, '\n', size - from);
		const size_t to = newline == NULL ? size : (size_t)(newline - exact);

		compile(exact + from, to - from);
		from = to + 1;
	}
	free(exact);
	return 0;
}
