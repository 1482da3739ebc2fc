#include "tcpserver/session.h"

#include <stdlib.h>
#include <string.h>

int sessions_init(struct sessions *t, size_t room)
{
	size_t heads = 64;

	memset(t, 0, sizeof *t);
	while (heads < room)
		heads *= 2;
	t->room = room;
	t->pid_mask = heads - 1;
	t->table = calloc(room, sizeof *t->table);
	t->pids = calloc(heads, sizeof *t->pids);
	return t->table == NULL || t->pids == NULL ? -1 : 0;
}

void sessions_free(struct sessions *t)
{
	free(t->table);
	free(t->pids);
	t->table = NULL;
	t->pids = NULL;
}

struct session *session_take(struct sessions *t)
{
	struct session *s = t->free;
	uint32_t generation;

	if (s != NULL)
		t->free = s->after;
	else if (t->high < t->room)
		s = &t->table[t->high++];
	else
		return NULL;
	generation = s->generation + 1;
	memset(s, 0, sizeof *s);
	s->generation = generation;
	s->state = SESSION_TAKEN;
	s->fd = -1;
	s->tls_control = -1;
	s->worker = -1;
	t->count++;
	return s;
}

/* ---- by pid --------------------------------------------------------------------------------------- */

static uint32_t *chain(struct sessions *t, pid_t pid)
{
	return &t->pids[(size_t)pid & t->pid_mask]; /* pids are handed out one after the other */
}

static uint32_t number(const struct sessions *t, const struct session *s)
{
	return (uint32_t)(s - t->table) + 1;
}

void session_run(struct sessions *t, struct session *s, pid_t pid)
{
	uint32_t *head = chain(t, pid);

	s->state = SESSION_RUNNING;
	s->pid = pid;
	s->next_pid = *head;
	*head = number(t, s);
}

static void forget_pid(struct sessions *t, struct session *s)
{
	uint32_t *link = chain(t, s->pid);

	while (*link != number(t, s))
		link = &t->table[*link - 1].next_pid;
	*link = s->next_pid;
}

void session_stop(struct sessions *t, struct session *s)
{
	if (s->pid != 0)
		forget_pid(t, s);
	s->pid = 0;
	s->state = SESSION_TAKEN;
}

struct session *session_of_pid(struct sessions *t, pid_t pid)
{
	for (uint32_t i = *chain(t, pid); i != 0; i = t->table[i - 1].next_pid)
		if (t->table[i - 1].pid == pid)
			return &t->table[i - 1];
	return NULL;
}

void session_give(struct sessions *t, struct session *s)
{
	session_stop(t, s);
	if (s->has_slot)
		t->slots--;
	s->has_slot = false;
	s->state = SESSION_FREE;
	s->after = t->free;
	t->free = s;
	t->count--;
}

/* ---- queues --------------------------------------------------------------------------------------- */

static enum session_queue queue_of(unsigned state)
{
	static const unsigned char queues[] = {
		[SESSION_HEADER] = QUEUE_HEADER,
		[SESSION_SILENT] = QUEUE_SILENT,
		[SESSION_ROOM] = QUEUE_ROOM,
		[SESSION_ASKING] = QUEUE_NAMES,
		[SESSION_WAITING] = QUEUE_NAMES,
		[SESSION_SHUT] = QUEUE_SHUT,
		[SESSION_TERMINATED] = QUEUE_TERMINATED,
	};

	return queues[state];
}

void session_wait(struct sessions *t, struct session *s, enum session_state state, int64_t deadline_ms)
{
	const enum session_queue q = queue_of(state);

	s->state = (uint8_t)state;
	s->deadline_ms = deadline_ms;
	s->before = t->queue[q].last;
	s->after = NULL;
	if (s->before != NULL)
		s->before->after = s;
	else
		t->queue[q].first = s;
	t->queue[q].last = s;
	t->queue[q].count++;
}

void session_leave_queue(struct sessions *t, struct session *s)
{
	const enum session_queue q = queue_of(s->state);

	if (s->before != NULL)
		s->before->after = s->after;
	else
		t->queue[q].first = s->after;
	if (s->after != NULL)
		s->after->before = s->before;
	else
		t->queue[q].last = s->before;
	t->queue[q].count--;
	s->state = s->pid == 0 ? SESSION_TAKEN : SESSION_RUNNING;
}

/* ---- by id ---------------------------------------------------------------------------------------- */

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
