/* policy-postfix - asks a policy server that was made for Postfix: policy-postfix(8). */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/io.h"
#include "base/num.h"
#include "net/dial.h"
#include "smtpd/policy_delegation.h"
#include "smtpd/policy_serve.h"

#define USAGE "policy-postfix: usage: policy-postfix unix:PATH | HOST PORT\n"

static const char help[] =
	USAGE "Answers smtpd as portero-policy(7) has it, and asks a server that speaks Postfix's policy\n"
	      "delegation protocol: postgrey, policyd-spf and others. See policy-postfix(8).\n"
	      "  --help      this text\n"
	      "  --version   the version of portero\n";

enum { CONNECT_MS = 30 * 1000 };

struct asker {
	char **where;
	int fd;               /* -1: to be opened at the next question */
	unsigned transaction; /* counts, and names the instance */
	bool in_transaction;
	char out_bytes[POLICY_BLOCK];
	char in_bytes[POLICY_BLOCK];
};

/* ---- the server ---------------------------------------------------------------------------------------- */

static int open_unix(const char *path)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(where.sun_path, path, strlen(path) + 1);
	if (fd == -1 || connect(fd, (const struct sockaddr *)&where, sizeof where) == -1)
		die(EXIT_TEMPORARY, "%s: %s; is the policy server running?", path, strerror(errno));
	return fd;
}

static int open_tcp(const char *host, const char *port)
{
	struct dial_list list;
	unsigned long number;
	const char *step = "find an address";

	if (num_parse(port, 1, 65535, &number) != NULL)
		die(EXIT_PERMANENT, "port %s: not a number from 1 to 65535", port);
	if (dial_host(host, CONNECT_MS, &list) != DIAL_HOST_OK)
		die(EXIT_TEMPORARY, "%s: no address is known for it", host);
	for (size_t i = 0; i < list.count; i++) {
		const int fd = dial(&list.addr[i], (unsigned)number, NULL, 0, CONNECT_MS, &step);

		if (fd != -1)
			return fd;
	}
	die(EXIT_TEMPORARY, "%s port %s: %s: %s; is the policy server running?", host, port, step,
		strerror(errno));
}

static int open_server(char **where)
{
	static const char prefix[] = "unix:";

	return where[1] == NULL ? open_unix(where[0] + sizeof prefix - 1) : open_tcp(where[0], where[1]);
}

/* Policy servers hang up after a while without questions: then a new connection is right. A server that does it
 * again is broken. How long all of it may take smtpd knows, and hangs up in its turn. */
static bool exchange(struct asker *s, const struct str *question, struct policy_answer *a)
{
	struct io_reader in = {
		.fd = s->fd, .timeout_ms = -1, .buf = s->in_bytes, .cap = sizeof s->in_bytes
	};
	const char *wrong;
	size_t end;

	if (io_write_own(s->fd, -1, question->s, question->len) != IO_OK)
		return false;
	while ((end = policy_block_end(in.buf, in.to, 0)) == 0) {
		if (in.to == in.cap)
			die(EXIT_TEMPORARY, "policy server: an answer is too long");
		if (io_fill(&in) != IO_OK)
			return false;
	}
	wrong = policy_delegation_take(in.buf, end, a);
	if (wrong == NULL && end != in.to)
		wrong = "more than one answer";
	if (wrong != NULL)
		die(EXIT_TEMPORARY, "policy server: %s", wrong);
	return true;
}

static bool try(struct asker *s, const struct str *question, struct policy_answer *a)
{
	if (s->fd == -1)
		s->fd = open_server(s->where);
	if (exchange(s, question, a))
		return true;
	close(s->fd);
	s->fd = -1;
	return false;
}

/* ---- smtpd --------------------------------------------------------------------------------------------- */

static void begin_transaction(struct asker *s, enum policy_stage stage)
{
	if (!s->in_transaction || stage <= POLICY_MAIL)
		s->transaction++;
	s->in_transaction = stage >= POLICY_MAIL && stage < POLICY_END;
}

static void answer(void *arg, const struct policy_request *q, struct policy_answer *a)
{
	struct asker *s = arg;
	char memory[128];
	struct str instance, question;

	begin_transaction(s, q->stage);
	str_init(&instance, memory, sizeof memory);
	str_puts(&instance, q->session);
	str_putc(&instance, '.');
	str_putu(&instance, s->transaction);
	str_init(&question, s->out_bytes, sizeof s->out_bytes);
	policy_delegation_put(&question, q, instance.s);
	if (question.full)
		die(EXIT_TEMPORARY, "a question is too long");
	for (int tries = 0; tries < 2; tries++)
		if (try(s, &question, a))
			return;
	die(EXIT_TEMPORARY, "policy server: hangs up instead of answering");
}

static void told(void *arg, const struct policy_request *q)
{
	struct asker *s = arg;

	(void)q;
	s->in_transaction = false;
}

static void check(char **where)
{
	const bool is_unix = where[0] != NULL && strncmp(where[0], "unix:", 5) == 0;

	if (where[0] == NULL || (is_unix ? where[1] != NULL : where[1] == NULL || where[2] != NULL))
		die_usage(USAGE);
	if (is_unix && strlen(where[0] + 5) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		die(EXIT_PERMANENT, "%s: a path has 107 bytes at most", where[0]);
}

int main(int argc, char **argv)
{
	static struct asker s = { .fd = -1 };
	const struct policy_serve program = { .answer = answer, .told = told, .arg = &s };

	err_name("policy-postfix");
	err_option(argc, argv, help);
	s.where = argv + 1;
	check(s.where);
	_exit(policy_serve(&program));
}
