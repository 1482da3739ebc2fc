#include "net/obey.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "net/rules_unsafe.h"

enum { REFUSAL = 1024, DRAIN_BLOCKS = 16 };

static const char diemsg_name[] = "DIEMSG=";

static enum obey deny(struct rules_verdict *v, struct obeyed *o)
{
	const char *pair;
	size_t n;

	while ((pair = rules_variable(v, &n)) != NULL)
		if (strncmp(pair, diemsg_name, sizeof diemsg_name - 1) == 0)
			o->diemsg = pair + sizeof diemsg_name - 1;
	return OBEY_DENY;
}

static enum obey set(struct rules_verdict *v, bool unsafe_env, struct env *env, struct obeyed *o)
{
	const char *pair;
	size_t n;

	while ((pair = rules_variable(v, &n)) != NULL) {
		const size_t name_len = strcspn(pair, "=");

		if (!unsafe_env && rules_variable_is_unsafe(pair, name_len)) {
			o->unsafe = pair;
			o->unsafe_len = (int)name_len;
			errno = EPERM;
			return OBEY_ERROR;
		}
		if (env_set_pair(env, pair, n) == -1)
			return OBEY_ERROR;
		o->has_variables = true;
	}
	return OBEY_ALLOW;
}

enum obey obey_rules(struct rules *r, bool may_miss, bool unsafe_env, const struct rules_client *who,
	struct env *env, struct obeyed *o)
{
	struct rules_verdict v;

	memset(o, 0, sizeof *o);
	if (rules_refresh(r) == -1)
		return errno == ENOENT && may_miss ? OBEY_ALLOW : OBEY_ERROR;
	if (rules_find(r, who, &v) == -1)
		return OBEY_ERROR;
	return v.deny ? deny(&v, o) : set(&v, unsafe_env, env, o);
}

/* A socket that is closed with bytes unread resets the connection, and the text is lost with it. */
static void drain(int fd)
{
	char block[4096];

	for (int i = 0; i < DRAIN_BLOCKS; i++)
		if (recv(fd, block, sizeof block, MSG_DONTWAIT) <= 0)
			return;
}

void obey_refuse(int fd, const char *diemsg)
{
	char memory[REFUSAL];
	struct str line;
	size_t n = strlen(diemsg);

	if (n > REFUSAL - 3)
		n = REFUSAL - 3;
	str_init(&line, memory, sizeof memory);
	str_put_printable(&line, diemsg, n); /* one line is one line */
	str_puts(&line, "\r\n");
	if (send(fd, line.s, line.len, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		return; /* a client that cannot be told is refused all the same */
	drain(fd);
}
