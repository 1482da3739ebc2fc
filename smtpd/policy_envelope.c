#include "smtpd/policy_envelope.h"

#include <string.h>

static const char *change_sender(struct session *s, const char *path)
{
	struct address a;
	size_t used;
	const char *wrong = address_parse_path(&a, path, strlen(path), &used);

	if (wrong != NULL)
		return wrong;
	if (!envelope_set_sender(&s->envelope, a.text))
		return "has no room for its sender";
	s->sender = a;
	return NULL;
}

static const char *remove_recipient(struct envelope *e, const char *path)
{
	struct address a;
	size_t used;
	const char *wrong = address_parse_path(&a, path, strlen(path), &used);

	if (wrong == NULL)
		envelope_remove(e, a.text);
	return wrong;
}

static const char *add_recipient(struct envelope *e, const char *path)
{
	struct address a;
	size_t used;
	const char *wrong = address_parse_path(&a, path, strlen(path), &used);

	if (wrong != NULL)
		return wrong;
	if (a.len == 0)
		return "adds a recipient without an address";
	if (envelope_has(e, a.text))
		return NULL;
	return e->recipients < SESSION_RECIPIENTS && envelope_add(e, a.text) ? NULL
									     : "adds too many recipients";
}

const char *policy_envelope_change(struct session *s, const struct policy_answer *a)
{
	const char *wrong = a->sender[0] == '\0' ? NULL : change_sender(s, a->sender);

	for (size_t i = 0; wrong == NULL && i < a->recipient_remove.count; i++)
		wrong = remove_recipient(&s->envelope, a->recipient_remove.item[i]);
	for (size_t i = 0; wrong == NULL && i < a->recipient_add.count; i++)
		wrong = add_recipient(&s->envelope, a->recipient_add.item[i]);
	return wrong;
}
