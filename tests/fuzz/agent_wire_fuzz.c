/* Packets between queued and an agent: what was read can be written, and is read the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/agent_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char again[AGENT_PACKET + 1];

static void try_hello(char *packet, size_t n)
{
	unsigned limit, same;
	size_t len;

	if (!agent_wire_read_hello(packet, n, &limit))
		return;
	len = agent_wire_hello(again, limit); /* shorter by zeros before the number */
	if (limit < 1 || limit > AGENT_LIMIT || len > n || !agent_wire_read_hello(again, len, &same) ||
		same != limit)
		abort();
}

static void try_job(char *packet, size_t n)
{
	struct agent_job j;
	const char *r = NULL;
	size_t count = 0;

	if (!agent_wire_read_job(packet, n, &j))
		return;
	while ((r = envelope_next(&j.envelope, r)) != NULL)
		count++;
	if (count != j.envelope.recipients || strlen(envelope_sender(&j.envelope)) > n)
		abort();
	/* the same but for zeros before numbers */
	if (agent_wire_job(again, &j) == 0 || agent_wire_job(again, &j) > n)
		abort();
}

static void try_report(char *packet, size_t n)
{
	struct agent_report r, s;
	size_t len;

	if (!agent_wire_read_report(packet, n, &r))
		return;
	if (r.n > AGENT_TEXT || strlen(r.text) != r.n || r.status[0] == '\0' ||
		strlen(r.status) >= sizeof r.status || (r.unreachable && r.letter != 'Z'))
		abort();
	len = agent_wire_report(again, &r);
	if (len == 0 || !agent_wire_read_report(again, len, &s) || s.job != r.job || s.index != r.index ||
		s.letter != r.letter || s.unreachable != r.unreachable || strcmp(s.status, r.status) != 0 ||
		strcmp(s.text, r.text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(char *, size_t) = { try_hello, try_job, try_report };

	if (size > AGENT_PACKET)
		return 0;
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		char *exact = malloc(size + 1);

		if (exact == NULL)
			abort();
		if (size > 0)
			memcpy(exact, data, size);
		tries[i](exact, size);
		free(exact);
	}
	return 0;
}
