#include "queue/intake_share.h"

#include <stdlib.h>

int share_init(struct shares *s, unsigned places, size_t bytes)
{
	*s = (struct shares){ .limit = places, .bytes_limit = bytes, .at = calloc(places, sizeof *s->at) };
	return s->at == NULL ? -1 : 0;
}

void share_free(struct shares *s)
{
	free(s->at);
	s->at = NULL;
}

/* That of the user, else one that is nobody's: there is one while there are places. */
static struct share *find(const struct shares *s, uid_t uid)
{
	struct share *none = NULL;

	for (unsigned i = 0; i < s->limit; i++) {
		if (s->at[i].places > 0 && s->at[i].uid == uid)
			return &s->at[i];
		if (s->at[i].places == 0 && none == NULL)
			none = &s->at[i];
	}
	return none;
}

struct share *share_enter(struct shares *s, uid_t uid)
{
	struct share *of = find(s, uid);

	if (of == NULL || of->places >= s->limit - s->places)
		return NULL;
	of->uid = uid;
	of->places++;
	s->places++;
	return of;
}

void share_leave(struct shares *s, struct share *of)
{
	of->places--;
	s->places--;
}

void *share_take(struct shares *s, struct share *of, size_t bytes)
{
	const size_t left = s->bytes_limit - s->bytes;
	void *memory = of->bytes > left || bytes > left - of->bytes ? NULL : malloc(bytes);

	if (memory == NULL)
		return NULL;
	of->bytes += bytes;
	s->bytes += bytes;
	return memory;
}

void share_give(struct shares *s, struct share *of, void *memory, size_t bytes)
{
	free(memory);
	of->bytes -= bytes;
	s->bytes -= bytes;
}
