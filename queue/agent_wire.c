#include "queue/agent_wire.h"

#include <limits.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"

/* ---- status codes -------------------------------------------------------------------------------------- */

static char class_of(char letter)
{
	return letter == 'K' ? '2' : letter == 'D' ? '5' : '4';
}

/* Digits of a number of one to three, without a zero before others (RFC 3463 section 2). */
static size_t number_len(const char *p, size_t n)
{
	size_t len = 0;

	while (len < n && len < 4 && p[len] >= '0' && p[len] <= '9')
		len++;
	return len > 3 || (len > 1 && p[0] == '0') ? 0 : len;
}

/* Bytes of the status code that begins here, or 0. */
static size_t status_len(const char *p, size_t n, char class)
{
	size_t at = 1, len;

	if (n == 0 || p[0] != class)
		return 0;
	for (int part = 0; part < 2; part++) {
		if (at == n || p[at] != '.')
			return 0;
		len = number_len(p + at + 1, n - at - 1);
		if (len == 0)
			return 0;
		at += 1 + len;
	}
	return at;
}

static size_t status_in_text(const char *text, size_t n, char class, const char **found)
{
	for (size_t at = n; at > 2; at--) {
		size_t len;

		if (text[at - 2] != '#' || text[at - 3] != '(')
			continue;
		len = status_len(text + at - 1, n - at + 1, class);
		if (len > 0 && at - 1 + len < n && text[at - 1 + len] == ')') {
			*found = text + at - 1;
			return len;
		}
	}
	return 0;
}

void agent_wire_status(char letter, const char *said, const char *text, size_t n, char status[AGENT_STATUS])
{
	const char class = class_of(letter);
	size_t len = strlen(said);

	if (len == 0 || status_len(said, len, class) != len)
		len = status_in_text(text, n, class, &said);
	if (len == 0) {
		memcpy(status, "x.0.0", 6);
		status[0] = class;
		return;
	}
	memcpy(status, said, len);
	status[len] = '\0';
}

/* ---- out ----------------------------------------------------------------------------------------------- */

static void put_number(struct str *s, unsigned long n)
{
	str_putu(s, n);
	str_putc(s, '\0');
}

size_t agent_wire_hello(char packet[AGENT_PACKET], unsigned limit)
{
	struct str s;

	str_init(&s, packet, AGENT_PACKET);
	str_putc(&s, 'H');
	str_putu(&s, limit);
	return s.len;
}

size_t agent_wire_job(char packet[AGENT_PACKET], const struct agent_job *j)
{
	struct str s;

	str_init(&s, packet, AGENT_PACKET);
	str_putc(&s, 'J');
	put_number(&s, j->number);
	put_number(&s, j->message);
	put_number(&s, j->attempt);
	str_put(&s, j->envelope.bytes, j->envelope.len);
	return s.full ? 0 : s.len;
}

size_t agent_wire_report(char packet[AGENT_PACKET], const struct agent_report *r)
{
	const size_t n = strnlen(r->text, r->n < AGENT_TEXT ? r->n : AGENT_TEXT);
	char status[AGENT_STATUS];
	struct str s;

	agent_wire_status(r->letter, r->status, r->text, n, status);
	str_init(&s, packet, AGENT_PACKET);
	str_putc(&s, r->letter == 'Z' && r->unreachable ? 'U' : r->letter);
	put_number(&s, r->job);
	put_number(&s, r->index);
	str_put(&s, status, strlen(status) + 1);
	str_put(&s, r->text, n);
	return s.full ? 0 : s.len;
}

/* ---- in ------------------------------------------------------------------------------------------------ */

/* The next field; NULL when its NUL is missing. */
static const char *field(const char **at, const char *end)
{
	const char *start = *at;
	const char *nul = memchr(start, '\0', (size_t)(end - start));

	if (nul == NULL)
		return NULL;
	*at = nul + 1;
	return start;
}

static bool number(const char **at, const char *end, unsigned long min, unsigned long *out)
{
	const char *text = field(at, end);

	return text != NULL && num_parse(text, min, ULONG_MAX, out) == NULL;
}

bool agent_wire_read_hello(char *packet, size_t n, unsigned *limit)
{
	unsigned long value;

	if (n == 0 || packet[0] != 'H' || num_parse_n(packet + 1, n - 1, 1, AGENT_LIMIT, &value) != NULL)
		return false;
	*limit = (unsigned)value;
	return true;
}

bool agent_wire_read_job(char *packet, size_t n, struct agent_job *j)
{
	const char *at = packet + 1, *end = packet + n;
	size_t have;

	if (n == 0 || packet[0] != 'J' || !number(&at, end, 1, &j->number) ||
		!number(&at, end, 0, &j->message) || !number(&at, end, 1, &j->attempt))
		return false;
	have = (size_t)(end - at);
	envelope_init(&j->envelope, packet + (at - packet), have);
	return envelope_check(&j->envelope, have) == ENVELOPE_WHOLE && j->envelope.len == have &&
	       j->envelope.recipients > 0;
}

bool agent_wire_read_report(char *packet, size_t n, struct agent_report *r)
{
	const char *at = packet + 1, *end = packet + n, *said;

	if (n == 0 || memchr("KZDU", packet[0], 4) == NULL || !number(&at, end, 1, &r->job) ||
		!number(&at, end, 0, &r->index))
		return false;
	said = field(&at, end);
	if (said == NULL)
		return false;
	r->unreachable = packet[0] == 'U';
	r->letter = r->unreachable ? 'Z' : packet[0];
	r->n = strnlen(at, (size_t)(end - at));
	if (r->n > AGENT_TEXT)
		r->n = AGENT_TEXT;
	r->text = at;
	packet[(size_t)(at - packet) + r->n] = '\0';
	agent_wire_status(r->letter, said, r->text, r->n, r->status);
	return true;
}
