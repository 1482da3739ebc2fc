#include "smtpd/queues.h"

#include <string.h>

#include "base/str.h"

static const char *wrong_line(struct queues *q, const char *line, const char *why)
{
	struct str s;

	str_init(&s, q->wrong, sizeof q->wrong);
	str_putc(&s, '"');
	str_put_printable(&s, line, strnlen(line, sizeof q->wrong / 2));
	str_puts(&s, "\": ");
	str_puts(&s, why);
	return q->wrong;
}

static const char *add(struct queues *q, const char *name, size_t n, const char *command, bool null_log)
{
	const char *trouble = door_open(&q->at[q->count].door, command, null_log);

	memcpy(q->at[q->count].name, name, n);
	q->at[q->count].name[n] = '\0';
	q->count++;
	return trouble;
}

static const char *add_line(struct queues *q, const char *line, bool null_log)
{
	const size_t n = strcspn(line, " \t");
	const char *command = line + n + strspn(line + n, " \t"), *trouble;

	if (n >= QUEUES_NAME || command[0] == '\0')
		return wrong_line(q, line, "a line is NAME COMMAND..., the name up to 63 bytes");
	if (q->count > QUEUES_MAX)
		return wrong_line(q, line, "there are more than 8 queues");
	trouble = add(q, line, n, command, null_log);
	return trouble != NULL ? wrong_line(q, line, trouble) : NULL;
}

const char *queues_open(struct queues *q, const char *usual, const struct control_list *others,
	bool null_log, bool resident)
{
	const char *wrong = NULL;

	q->count = 0;
	q->trouble = add(q, "", 0, usual, null_log);
	for (size_t at = 0; wrong == NULL && at < others->bytes; at += strlen(others->items + at) + 1)
		wrong = add_line(q, others->items + at, null_log);
	for (unsigned i = 0; i < q->count; i++)
		q->at[i].door.resident = resident;
	return wrong;
}

struct door *queues_find(struct queues *q, const char *name)
{
	for (unsigned i = 0; i < q->count; i++)
		if (strcmp(q->at[i].name, name) == 0)
			return &q->at[i].door;
	return NULL;
}

bool queues_lost(const struct queues *q)
{
	for (unsigned i = 0; i < q->count; i++)
		if (door_lost(&q->at[i].door))
			return true;
	return false;
}

void queues_close(struct queues *q)
{
	for (unsigned i = 0; i < q->count; i++)
		door_close(&q->at[i].door);
}
