/* policy-rcptcheck - asks a recipient checker of the RCPTCHECK convention: policy-rcptcheck(8). */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "smtpd/policy_run.h"
#include "smtpd/policy_serve.h"

#define USAGE "policy-rcptcheck: usage: policy-rcptcheck PROGRAM [ARG ...]\n"

static const char help[] = USAGE
	"Answers smtpd as portero-policy(7) has it, and runs PROGRAM for each recipient, with SENDER,\n"
	"RECIPIENT and HELO in its environment: exit 100 refuses, 111 refuses for now.\n"
	"See policy-rcptcheck(8).\n"
	"  --help      this text\n"
	"  --version   the version of portero\n";

enum { REFUSED = 100, LATER = 111, CANNOT_RUN = 120 };

struct checker {
	char **argv;
	struct env env;
};

static void set_environment(struct checker *c, const struct policy_request *q)
{
	env_rewind(&c->env);
	if (policy_run_environment(&c->env, q) == -1 || env_set(&c->env, "SENDER", q->sender) == -1 ||
		env_set(&c->env, "RECIPIENT", q->recipient) == -1 ||
		env_set(&c->env, "HELO", q->helo) == -1)
		die(EXIT_TEMPORARY, "out of memory");
}

static void answer(void *arg, const struct policy_request *q, struct policy_answer *a)
{
	struct checker *c = arg;
	char dropped[1];
	struct str out;
	int code;

	if (q->stage != POLICY_RCPT)
		return;
	set_environment(c, q);
	str_init(&out, dropped, sizeof dropped);
	code = policy_run(c->argv, &c->env, &out);
	switch (code) {
	case REFUSED:
		a->action = POLICY_REJECT;
		a->code = 553;
		a->status = "5.1.1";
		a->text = "sorry, no mailbox here by that name";
		return;
	case -1:
	case CANNOT_RUN:
		warn("%s: %s", c->argv[0],
			code == -1 && errno != 0 ? strerror(errno) : "did not run to its end");
		a->action = POLICY_DEFER;
		a->status = "4.3.0";
		a->text = "unable to check the recipient";
		return;
	case LATER:
		a->action = POLICY_DEFER;
		a->status = "4.3.0";
		a->text = "temporarily unable to check the recipient";
		return;
	default:
		return;
	}
}

int main(int argc, char **argv)
{
	struct checker c = { .argv = argv + 1 };
	const struct policy_serve program = { .answer = answer, .arg = &c };

	err_name("policy-rcptcheck");
	err_option(argc, argv, help);
	if (argc < 2 || argv[1][0] == '-')
		die_usage(USAGE);
	if (env_init(&c.env, environ) == -1)
		die(EXIT_TEMPORARY, "out of memory");
	_exit(policy_serve(&program));
}
