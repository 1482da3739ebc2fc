#include "tcp-env/gate.h"

#include <string.h>

bool gate_option(struct gate *g, int option, const char *value)
{
	switch (option) {
	case 'x':
		g->rules = value;
		return true;
	case 'X':
		g->may_miss = true;
		return true;
	case 'U':
		g->unsafe_env = true;
		return true;
	default:
		return false;
	}
}

enum obey gate_pass(const struct gate *g, const struct addr *client, const struct found *f, struct env *env,
	struct obeyed *o)
{
	char ip[ADDR_TEXT];
	const struct rules_client who = {
		.ip = ip,
		.host = f->confirmed ? f->remote_host.name : NULL,
		.info = f->has_info ? f->info : NULL,
	};
	struct rules *rules;
	enum obey answer;

	memset(o, 0, sizeof *o);
	if (g->rules == NULL)
		return OBEY_ALLOW;
	rules = rules_open(g->rules); /* never closed: o points into it */
	if (rules == NULL)
		return OBEY_ERROR;
	addr_format(client, ip);
	answer = obey_rules(rules, g->may_miss, g->unsafe_env, &who, env, o);
	if (answer == OBEY_DENY && o->diemsg != NULL)
		obey_refuse(0, o->diemsg);
	return answer;
}
