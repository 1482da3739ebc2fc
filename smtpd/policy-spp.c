/* policy-spp - runs plug-ins that were made for qmail-spp: policy-spp(8). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "mail/control.h"
#include "smtpd/policy_run.h"
#include "smtpd/policy_serve.h"
#include "smtpd/policy_spp.h"

#define USAGE "policy-spp: usage: policy-spp [FILE]\n"

static const char help[] = USAGE
	"Answers smtpd as portero-policy(7) has it, and runs the plug-ins of qmail-spp that FILE names,\n"
	"control/smtpplugins when there is none. See policy-spp(8).\n"
	"  --help      this text\n"
	"  --version   the version of portero\n";

enum { WORDS = 32, LINE_BYTES = 1024, CANNOT_RUN = 120 };

struct plugins {
	const char *path;
	struct control_list lines;
	struct spp spp;
	struct env env;
	unsigned long asked; /* recipients of this transaction, refused ones too */
	bool off;            /* for the rest of the session */
	char output[POLICY_BLOCK / 2];
};

static const char *section_of(enum policy_stage stage)
{
	switch (stage) {
	case POLICY_CONNECT:
		return "[connection]";
	case POLICY_HELO:
		return "[helo]";
	case POLICY_MAIL:
		return "[mail]";
	case POLICY_RCPT:
		return "[rcpt]";
	case POLICY_DATA:
		return "[data]";
	default:
		return NULL;
	}
}

static void set(struct plugins *p, const char *name, const char *value)
{
	if (env_set(&p->env, name, value) == -1)
		die(EXIT_TEMPORARY, "out of memory");
}

static void set_number(struct plugins *p, const char *name, unsigned long n)
{
	char memory[32];
	struct str text;

	str_init(&text, memory, sizeof memory);
	str_putu(&text, n);
	set(p, name, text.s);
}

static void set_environment(struct plugins *p, const struct policy_request *q)
{
	if (policy_run_environment(&p->env, q) == -1)
		die(EXIT_TEMPORARY, "out of memory");
	set(p, "SMTPHELOHOST", q->helo);
	set(p, "SMTPMAILFROM", q->sender);
	set(p, "SMTPRCPTTO", q->recipient);
	set_number(p, "SMTPRCPTCOUNT", q->recipients);
	set_number(p, "SMTPRCPTCOUNTALL", p->asked);
	set(p, "SMTPRCPTHOSTSOK", "1"); /* smtpd asks about no others */
	if (q->user[0] != '\0')
		set(p, "SMTPAUTHUSER", q->user);
}

static void split(const char *line, char memory[LINE_BYTES], char *words[WORDS + 1])
{
	char *rest = NULL;
	size_t count = 0;

	memcpy(memory, line, strlen(line) + 1);
	for (char *word = strtok_r(memory, " \t", &rest); word != NULL && count < WORDS;
		word = strtok_r(NULL, " \t", &rest))
		words[count++] = word;
	words[count] = NULL;
}

/* Texts of the answer lie in the output of its plug-in: room is left for all of them, one behind another. */
static void run_one(struct plugins *p, const char *line, size_t *used, struct policy_answer *a)
{
	char memory[LINE_BYTES], *words[WORDS + 1];
	const char *wrong;
	struct str out;
	int code;

	split(line, memory, words);
	str_init(&out, p->output + *used, sizeof p->output - *used);
	code = policy_run(words, &p->env, &out);
	if (code == -1 || code == CANNOT_RUN)
		die(EXIT_TEMPORARY, "%s: %s: %s", p->path, line,
			code == -1 && errno != 0 ? strerror(errno) : "did not run to its end");
	if (out.full || memchr(out.s, '\0', out.len) != NULL)
		die(EXIT_TEMPORARY, "%s: %s: prints too much, or a NUL", p->path, line);
	*used += out.len + 1;
	wrong = spp_take(&p->spp, &p->env, out.s, a);
	if (wrong != NULL)
		die(EXIT_TEMPORARY, "%s: %s: %s", p->path, line, wrong);
}

static void run_section(struct plugins *p, const char *section, struct policy_answer *a)
{
	bool inside = false;
	size_t used = 0;

	p->spp.end = SPP_GO_ON;
	for (size_t at = 0; at < p->lines.bytes && p->spp.end == SPP_GO_ON;
		at += strlen(p->lines.items + at) + 1) {
		const char *line = p->lines.items + at;

		if (line[0] == '[')
			inside = strcmp(line, section) == 0;
		else if (inside)
			run_one(p, line, &used, a);
	}
	p->off = p->off || p->spp.end == SPP_OFF;
}

static void answer(void *arg, const struct policy_request *q, struct policy_answer *a)
{
	struct plugins *p = arg;
	const char *section = section_of(q->stage);

	p->asked = q->stage == POLICY_RCPT ? p->asked + 1 : q->stage == POLICY_DATA ? p->asked : 0;
	if (section == NULL || p->off)
		return;
	if (p->spp.later != q->stage) {
		set_environment(p, q);
		run_section(p, section, a);
	}
	if (p->spp.later == q->stage)
		spp_refuse(p->spp.later_text, false, a);
}

/* Of a transaction nothing is kept but what a plug-in said for later, of a session nothing at all. */
static void told(void *arg, const struct policy_request *q)
{
	struct plugins *p = arg;

	p->asked = 0;
	if (q->stage != POLICY_CLOSE)
		return;
	p->off = false;
	p->spp.later = POLICY_OTHER;
	env_rewind(&p->env);
}

static void read_lines(struct plugins *p)
{
	switch (control_list(AT_FDCWD, p->path, &p->lines)) {
	case CONTROL_READ:
		break;
	case CONTROL_MISSING:
		errno = ENOENT;
		/* FALLTHROUGH */
	case CONTROL_ERROR:
		die(EXIT_TEMPORARY, "%s: %s", p->path, strerror(errno));
	}
	for (size_t at = 0; at < p->lines.bytes; at += strlen(p->lines.items + at) + 1)
		if (strlen(p->lines.items + at) >= LINE_BYTES)
			die(EXIT_PERMANENT, "%s: a line is longer than %d bytes", p->path, LINE_BYTES - 1);
}

int main(int argc, char **argv)
{
	static struct plugins p = { .path = "control/smtpplugins" };
	const struct policy_serve program = { .answer = answer, .told = told, .arg = &p };

	err_name("policy-spp");
	err_option(argc, argv, help);
	if (argc > 2 || (argc == 2 && argv[1][0] == '-'))
		die_usage(USAGE);
	if (argc == 2)
		p.path = argv[1];
	read_lines(&p);
	if (env_init(&p.env, environ) == -1)
		die(EXIT_TEMPORARY, "out of memory");
	_exit(policy_serve(&program));
}
