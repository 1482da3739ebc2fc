#include "tcpserver/admit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"

/* Room for the variables of one rule: more than a line of a rules text that anybody writes. */
enum { VARIABLES = 4096, POOL = 256 * 1024 };
enum { COMPLAIN_EVERY_MS = 60 * 1000 };

int admit_open(struct admit_desk *d, const struct config *c)
{
	memset(d, 0, sizeof *d);
	d->config = c;
	if (env_init(&d->env, environ, VARIABLES, POOL) == -1)
		return -1;
	if (c->rules == NULL)
		return 0;
	d->rules = rules_open(c->rules);
	return d->rules == NULL ? -1 : 0;
}

void admit_close(struct admit_desk *d)
{
	rules_close(d->rules);
	env_free(&d->env);
}

const char *admit_local_host(const struct config *c, const struct names *n)
{
	if (c->local_name != NULL)
		return c->local_name;
	return n->local_host[0] == '\0' ? NULL : n->local_host;
}

const char *admit_remote_host(const struct config *c, const struct names *n)
{
	if (n->remote_host[0] == '\0' || (c->paranoid && !n->remote_confirmed))
		return NULL;
	return n->remote_host;
}

const char *admit_remote_info(const struct names *n)
{
	return n->has_remote_info ? n->remote_info : NULL;
}

static enum admit drop(struct admit_desk *d, int error)
{
	d->drop_errno = error;
	return ADMIT_DROP;
}

void admit_explain(struct admit_desk *d)
{
	const int64_t now = clock_ms();

	if (d->config->verbosity < STATUS && now < d->quiet_until_ms)
		return;
	d->quiet_until_ms = now + COMPLAIN_EVERY_MS;
	if (d->drop_errno == ENOMEM)
		warn("dropping connection, out of memory");
	else
		warn("dropping connection, unable to read %s: %s", d->config->rules,
			errtext(d->drop_errno));
}

static enum admit obey(struct admit_desk *d, struct rules_verdict *v)
{
	const char *pair;
	size_t n;

	if (v->deny)
		return ADMIT_DENY;
	while ((pair = rules_variable(v, &n)) != NULL)
		if (env_set_pair(&d->env, pair, n) == -1)
			return drop(d, errno);
	return ADMIT_OK;
}

enum admit admit_decide(struct admit_desk *d, const struct ends *ends, const struct names *names)
{
	const struct config *c = d->config;
	struct rules_verdict verdict;
	char remote_ip[ADDR_TEXT];
	/* a name that its addresses do not confirm is anybody's invention: no rule may hang on it */
	const struct rules_client who = {
		.ip = remote_ip,
		.host = names->remote_confirmed ? admit_remote_host(c, names) : NULL,
		.info = admit_remote_info(names),
	};

	env_rewind(&d->env);
	if (ends_export(ends, admit_local_host(c, names), admit_remote_host(c, names), who.info, &d->env) ==
		-1)
		return drop(d, errno);
	if (d->rules == NULL)
		return ADMIT_OK;
	addr_format(&ends->remote, remote_ip);
	if (rules_refresh(d->rules) == -1) {
		if (errno == ENOENT && c->rules_may_miss)
			return ADMIT_OK;
		return drop(d, errno);
	}
	if (rules_find(d->rules, &who, &verdict) == -1)
		return drop(d, errno);
	return obey(d, &verdict);
}
