/* policy-domain - can an answer to this sender be sent at all? A policy program of smtpd: policy-domain(8). */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/house.h"
#include "base/option.h"
#include "base/sandbox.h"
#include "net/dns_wait.h"
#include "smtpd/policy_serve.h"

#define USAGE "policy-domain: usage: policy-domain [ --mark ] [ --time seconds ]\n"

static const char help[] = USAGE
	"A policy of smtpd: refuses senders whose domain has neither a mail exchanger nor an address.\n"
	"  --mark          refuse nothing: only mark it\n"
	"  --time seconds  for all look-ups of one message together, 10\n"
	"  --help          print this and exit\n"
	"  --version       print the version and exit\n";

enum { OPTION_MARK = 256, OPTION_TIME, OPTION_HELP, OPTION_VERSION };

static const struct option long_options[] = {
	{ "mark", no_argument, NULL, OPTION_MARK },
	{ "time", required_argument, NULL, OPTION_TIME },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

enum { TIME_S = 10, TIME_MAX_S = 300 };

struct judge {
	bool mark;
	int time_ms;
	struct dns *dns;
};

/* clang-format off */
static void set_option(struct judge *j, int option, const char *value)
{
	switch (option) {
	case OPTION_MARK: j->mark = true; break;
	case OPTION_TIME: j->time_ms = 1000 * (int)option_number("--time", value, 1, TIME_MAX_S); break;
	case OPTION_HELP: option_print(help);
	case OPTION_VERSION: option_print(house_version);
	default: option_refuse("policy-domain", option, optopt, USAGE);
	}
}
/* clang-format on */

/* ---- what the DNS says ----------------------------------------------------------------------------------- */

enum domain { DOMAIN_GOOD, DOMAIN_MISSING, DOMAIN_NULL, DOMAIN_UNKNOWN };

static const struct verdict {
	const char *tag;
	enum policy_action action;
	unsigned code;
	const char *status, *text;
} verdicts[] = {
	[DOMAIN_GOOD] = { "domain=good", POLICY_CONTINUE, 0, "", "" },
	/* in the words of qmail's MFDNSCHECK */
	[DOMAIN_MISSING] = { "domain=missing", POLICY_REJECT, 550, "5.1.8",
		"sorry, your envelope sender domain must exist" },
	[DOMAIN_NULL] = { "domain=null", POLICY_REJECT, 550, "5.7.27",
		"sorry, your envelope sender domain takes no mail" },
	[DOMAIN_UNKNOWN] = { "domain=unknown", POLICY_DEFER, 451, "4.4.3", "DNS temporary failure" },
};

/* Does any of them name a host? */
static void take_exchanger(void *arg, const struct dns_record *r)
{
	bool *named = arg;

	*named = *named || r->n > 0;
}

static void take_address(void *arg, const struct dns_record *r)
{
	(void)arg;
	(void)r;
}

/* RFC 5321 section 5.1: without an exchanger the name itself is one. RFC 7505: the root takes no mail. */
static enum domain look_up(const struct judge *j, const char *name, int64_t deadline_ms)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	enum domain worst = DOMAIN_MISSING;
	bool named = false;
	enum dns_result found = dns_wait(j->dns, DNS_MX, name, deadline_ms, take_exchanger, &named);

	if (found == DNS_FOUND)
		return named ? DOMAIN_GOOD : DOMAIN_NULL;
	if (found != DNS_NONE)
		return found == DNS_NO_NAME ? DOMAIN_MISSING : DOMAIN_UNKNOWN;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		found = dns_wait(j->dns, types[i], name, deadline_ms, take_address, NULL);
		if (found == DNS_FOUND)
			return DOMAIN_GOOD;
		if (found == DNS_TEMPORARY)
			worst = DOMAIN_UNKNOWN;
	}
	return worst;
}

/* ---- judging --------------------------------------------------------------------------------------------- */

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x21 || *text > 0x7e)
			return false;
	return true;
}

static void answer(void *arg, const struct policy_request *q, struct policy_answer *a)
{
	const struct judge *j = arg;
	const char *at = strrchr(q->sender, '@');
	const struct verdict *v;

	/* a literal is asked of nobody; nor is a name that we have no ASCII form of */
	if (q->stage != POLICY_MAIL || q->relay != 0 || at == NULL || at[1] == '[' || !is_ascii(at + 1))
		return;
	v = &verdicts[look_up(j, at + 1, clock_ms() + j->time_ms)];
	if (!policy_items_add(&a->tag, v->tag))
		warn("a verdict has no room in the answer");
	if (j->mark)
		return;
	a->action = v->action;
	a->code = v->code;
	a->status = v->status;
	a->text = v->text;
}

int main(int argc, char **argv)
{
	static struct judge j = { .time_ms = 1000 * TIME_S };
	const struct policy_serve policy = { .answer = answer, .arg = &j };

	err_name("policy-domain");
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	for (int o; (o = getopt_long(argc, argv, ":", long_options, NULL)) != -1;)
		set_option(&j, o, optarg);
	if (optind != argc)
		die_usage(USAGE);
	j.dns = dns_open();
	if (j.dns == NULL)
		die(EXIT_TEMPORARY, "unable to start looking up names: %s", errtext(errno));
	if (sandbox_enter(SANDBOX_POLICY) == -1)
		die(EXIT_TEMPORARY, "unable to enter the sandbox: %s", errtext(errno));
	_exit(policy_serve(&policy));
}
