#include "smtpd/policy_spp.h"

#include <string.h>

#include "base/num.h"

/* A code is three digits; a message without one is one for ever. */
static char *take_code(char *text, uint64_t *code)
{
	unsigned long n;

	if (num_leading(text, strlen(text), &n) != 3 || n < 400 || n > 599 ||
		(text[3] != ' ' && text[3] != '\0'))
		return text;
	*code = n;
	return text + 3 + (text[3] == ' ');
}

void spp_refuse(char *text, bool drop, struct policy_answer *a)
{
	text = take_code(text, &a->code);
	a->text = policy_take_status(text, &a->status);
	a->action = drop ? POLICY_DROP : a->code / 100 == 4 ? POLICY_DEFER : POLICY_REJECT;
}

static const char *take_later(struct spp *s, const char *text)
{
	struct str copy;

	switch (text[0]) {
	case 'M':
		s->later = POLICY_MAIL;
		break;
	case 'R':
		s->later = POLICY_RCPT;
		break;
	case 'D':
		s->later = POLICY_DATA;
		break;
	default:
		return "L is followed by M, R or D";
	}
	str_init(&copy, s->later_text, sizeof s->later_text);
	str_puts(&copy, text + 1);
	return copy.full ? "a message is too long" : NULL;
}

static const char *take_header(const char *header, struct policy_answer *a)
{
	const char *wrong = policy_check_header(header);

	if (wrong == NULL && !policy_items_add(&a->header, header))
		wrong = "too many headers";
	return wrong;
}

static const char *take_variable(struct env *e, const char *pair)
{
	const char *equals = strchr(pair, '=');

	if (equals == NULL || equals == pair)
		return "S is followed by name=value";
	return env_set_pair(e, pair, strlen(pair)) == -1 ? "out of memory" : NULL;
}

static const char *take_line(struct spp *s, struct env *e, char *line, struct policy_answer *a)
{
	char *text = line + 1;

	switch (line[0]) {
	case 'A':
		s->end = SPP_OFF;
		return NULL;
	case 'N':
	case 'O': /* no plug-in can allow what smtpd refuses */
		s->end = SPP_NEXT;
		return NULL;
	case 'E':
	case 'R':
		spp_refuse(text, line[0] == 'R', a);
		s->end = SPP_REFUSED;
		return NULL;
	case 'D':
		a->action = POLICY_DROP;
		s->end = SPP_REFUSED;
		return NULL;
	case 'L':
		return take_later(s, text);
	case 'S':
		return take_variable(e, text);
	case 'U':
		env_unset(e, text);
		return NULL;
	case 'H':
		return take_header(text, a);
	case 'P':
		return "P: smtpd answers a command once, and in its own words";
	case 'C':
		return "C: addresses are not changed here";
	default:
		return "a command is none of A, N, O, E, L, R, D, S, U and H";
	}
}

const char *spp_take(struct spp *s, struct env *e, char *output, struct policy_answer *a)
{
	const char *wrong = NULL;
	char *rest = NULL;

	s->end = SPP_GO_ON;
	for (char *line = strtok_r(output, "\n", &rest);
		line != NULL && wrong == NULL && s->end == SPP_GO_ON; line = strtok_r(NULL, "\n", &rest))
		wrong = take_line(s, e, line, a);
	return wrong;
}
