#include "tcpserver/session.h"

#include <stdlib.h>
#include <string.h>

int sessions_init(struct sessions *t, size_t limit)
{
	memset(t, 0, sizeof *t);
	t->limit = limit;
	t->table = calloc(limit, sizeof *t->table);
	return t->table == NULL ? -1 : 0;
}

void sessions_free(struct sessions *t)
{
	free(t->table);
	t->table = NULL;
}

struct session *session_take(struct sessions *t)
{
	struct session *s = t->free;

	if (s != NULL)
		t->free = s->after;
	else if (t->high < t->limit)
		s = &t->table[t->high++];
	else
		return NULL;
	s->state = SESSION_TAKEN;
	s->generation++;
	s->before = NULL;
	s->after = NULL;
	t->count++;
	return s;
}

void session_give(struct sessions *t, struct session *s)
{
	s->state = SESSION_FREE;
	s->after = t->free;
	t->free = s;
	t->count--;
}

void session_wait(struct sessions *t, struct session *s)
{
	s->before = t->last;
	s->after = NULL;
	if (t->last != NULL)
		t->last->after = s;
	else
		t->first = s;
	t->last = s;
}

void session_leave_queue(struct sessions *t, struct session *s)
{
	if (s->before != NULL)
		s->before->after = s->after;
	else
		t->first = s->after;
	if (s->after != NULL)
		s->after->before = s->before;
	else
		t->last = s->before;
	s->state = SESSION_TAKEN;
}

uint64_t session_id(const struct sessions *t, const struct session *s)
{
	return (uint64_t)s->generation << 32 | (uint64_t)(s - t->table);
}

struct session *session_of_id(struct sessions *t, uint64_t id)
{
	const size_t index = id & 0xffffffff;
	struct session *s;

	if (index >= t->high)
		return NULL;
	s = &t->table[index];
	return s->state == SESSION_WAITING && s->generation == id >> 32 ? s : NULL;
}

struct session *session_of_pid(struct sessions *t, pid_t pid)
{
	for (size_t i = 0; i < t->high; i++)
		if (t->table[i].state == SESSION_RUNNING && t->table[i].pid == pid)
			return &t->table[i];
	return NULL;
}
