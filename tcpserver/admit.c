#include "tcpserver/admit.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/str.h"
#include "net/obey.h"
#include "net/ucspi.h"

enum { COMPLAIN_EVERY_MS = 60 * 1000 };

int admit_open(struct admit_desk *d, const struct config *c)
{
	memset(d, 0, sizeof *d);
	d->config = c;
	if (env_init(&d->env, environ) == -1)
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

static void remember(struct admit_desk *d, const char *variable, size_t n)
{
	struct str s;

	str_init(&s, d->trouble, sizeof d->trouble);
	str_put_printable(&s, variable, n < sizeof d->trouble - 1 ? n : sizeof d->trouble - 1);
}

enum admit admit_bad_rule(struct admit_desk *d, const char *variable)
{
	remember(d, variable, strlen(variable));
	return drop(d, EINVAL);
}

void admit_explain(struct admit_desk *d)
{
	const int64_t now = clock_ms();
	const char *rules = d->config->rules != NULL ? d->config->rules : "the environment";

	if (d->config->verbosity < STATUS && now < d->quiet_until_ms)
		return;
	d->quiet_until_ms = now + COMPLAIN_EVERY_MS;
	if (d->drop_errno == ENOMEM)
		warn("dropping connection, out of memory");
	else if (d->trouble[0] != '\0' && d->drop_errno == EPERM)
		warn("dropping connection, %s: a rule sets %s, which programs that load others obey: take "
		     "it "
		     "out, or allow it with --unsafe-env",
			rules, d->trouble);
	else if (d->trouble[0] != '\0')
		warn("dropping connection, %s: the value of %s is none: see tcpserver(1)", rules,
			d->trouble);
	else
		warn("dropping connection, unable to read %s: %s", rules, errtext(d->drop_errno));
}

/* ---- the environment ------------------------------------------------------------------------------- */

static int set_number(struct env *e, const char *name, unsigned long n)
{
	char text[24];
	struct str s;

	str_init(&s, text, sizeof text);
	str_putu(&s, n);
	return env_set(e, name, text);
}

static int export_unix(struct env *e, const struct admit_unix *through)
{
	static const char *const none[UCSPI_VARS] = { [UCSPI_PROTO] = "UNIX" };
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(through->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == -1 ||
		ucspi_set(e, none) == -1 || env_set(e, "UNIXLOCALPATH", through->path) == -1 ||
		set_number(e, "UNIXREMOTEPID", (unsigned long)peer.pid) == -1 ||
		set_number(e, "UNIXREMOTEEUID", peer.uid) == -1)
		return -1;
	return set_number(e, "UNIXREMOTEEGID", peer.gid);
}

static int export(struct admit_desk *d, const struct ends *ends, const struct names *names,
	const struct admit_unix *through)
{
	const struct config *c = d->config;

	env_rewind(&d->env);
	if (ends_are_unix(ends))
		return export_unix(&d->env, through);
	return ends_export(ends, admit_local_host(c, names), admit_remote_host(c, names),
		admit_remote_info(names), &d->env);
}

/* ---- the verdict ----------------------------------------------------------------------------------- */

static const char *ip_text(const struct ends *ends, char text[ADDR_TEXT])
{
	if (ends_are_unix(ends))
		return "unix"; /* what stands before the colon of such a rule */
	addr_format(&ends->remote, text);
	return text;
}

static enum admit obey(struct admit_desk *d, const struct rules_client *who)
{
	struct obeyed o;

	switch (obey_rules(d->rules, d->config->rules_may_miss, d->config->unsafe_env, who, &d->env, &o)) {
	case OBEY_ALLOW:
		d->has_variables = o.has_variables;
		return ADMIT_OK;
	case OBEY_DENY:
		d->diemsg = o.diemsg;
		return ADMIT_DENY;
	case OBEY_ERROR:
		break;
	}
	if (o.unsafe != NULL)
		remember(d, o.unsafe, (size_t)o.unsafe_len);
	return drop(d, errno);
}

enum admit admit_decide(struct admit_desk *d, const struct ends *ends, const struct names *names,
	const struct admit_unix *through)
{
	char text[ADDR_TEXT];
	/* a name that its addresses do not confirm is anybody's invention: no rule may hang on it */
	const struct rules_client who = {
		.ip = ip_text(ends, text),
		.host = names->remote_confirmed ? admit_remote_host(d->config, names) : NULL,
		.info = admit_remote_info(names),
	};

	d->diemsg = NULL;
	d->trouble[0] = '\0';
	d->has_variables = false;
	if (export(d, ends, names, through) == -1)
		return drop(d, errno);
	return d->rules == NULL ? ADMIT_OK : obey(d, &who);
}

bool admit_is_proxy(struct admit_desk *d, const struct ends *ends)
{
	char text[ADDR_TEXT];
	const struct rules_client who = { .ip = ip_text(ends, text) };
	struct rules_verdict v;
	const char *pair;
	size_t n;

	if (d->rules == NULL || rules_refresh(d->rules) == -1 || rules_find(d->rules, &who, &v) == -1 ||
		v.deny)
		return false;
	while ((pair = rules_variable(&v, &n)) != NULL)
		if (strcmp(pair, "PROXY=1") == 0)
			return true;
	return false;
}
