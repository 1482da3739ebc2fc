/* policy-spf - may this client send mail of this domain? A policy program of smtpd: policy-spf(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/house.h"
#include "base/option.h"
#include "base/sandbox.h"
#include "mail/control.h"
#include "smtpd/networks.h"
#include "smtpd/policy_serve.h"
#include "smtpd/spf_dns.h"
#include "smtpd/spf_field.h"

#define USAGE                                                                          \
	"policy-spf: usage: policy-spf [ --helo ] [ --mark ] [ --defer-temperror ] "   \
	"[ --reject-permerror ] [ --private ] [ --trusted file ] [ --receiver name ] " \
	"[ --time seconds ]\n"

static const char help[] = USAGE
	"A policy of smtpd: refuses mail whose sender's domain says that this client may not send it.\n"
	"  --defer-temperror   refuse for now what cannot be judged for now\n"
	"  --helo              judge the client's HELO name too\n"
	"  --mark              refuse nothing for a fail: only mark it\n"
	"  --private           judge clients with private addresses too\n"
	"  --receiver name     this host, for the field and for explanations\n"
	"  --reject-permerror  refuse mail of domains whose record is wrong\n"
	"  --time seconds      for all look-ups of one message together, 20\n"
	"  --trusted file      addresses and networks whose mail is not judged, one a line\n"
	"  --help              print this and exit\n"
	"  --version           print the version and exit\n";

enum {
	OPTION_DEFER = 256,
	OPTION_HELO,
	OPTION_MARK,
	OPTION_PRIVATE,
	OPTION_RECEIVER,
	OPTION_REJECT,
	OPTION_TIME,
	OPTION_TRUSTED,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "defer-temperror", no_argument, NULL, OPTION_DEFER },
	{ "helo", no_argument, NULL, OPTION_HELO },
	{ "mark", no_argument, NULL, OPTION_MARK },
	{ "private", no_argument, NULL, OPTION_PRIVATE },
	{ "receiver", required_argument, NULL, OPTION_RECEIVER },
	{ "reject-permerror", no_argument, NULL, OPTION_REJECT },
	{ "time", required_argument, NULL, OPTION_TIME },
	{ "trusted", required_argument, NULL, OPTION_TRUSTED },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

enum { TIME_S = 20, TIME_MAX_S = 300, FIELD = 4096, TEXT = 480 };

struct config {
	bool helo, mark, private, defer_temperror, reject_permerror;
	const char *receiver;
	int time_ms;
	struct networks trusted;
};

/* ---- options -------------------------------------------------------------------------------------------- */

static void read_trusted(struct networks *n, const char *file)
{
	struct control_list list;

	switch (control_list(AT_FDCWD, file, &list)) {
	case CONTROL_READ:
		break;
	case CONTROL_MISSING:
		die(EXIT_PERMANENT, "--trusted: there is no file %s", file);
	default:
		die(EXIT_TEMPORARY, "unable to read %s: %s", file, errtext(errno));
	}
	for (const char *item = list.items; item < list.items + list.bytes; item += strlen(item) + 1) {
		const char *wrong = networks_add(n, item);

		if (wrong != NULL)
			die(EXIT_PERMANENT, "%s: \"%s\" %s: write ADDRESS or ADDRESS/BITS", file, item,
				wrong);
	}
}

/* clang-format off */
static void set_option(struct config *c, int option, const char *value)
{
	switch (option) {
	case OPTION_DEFER: c->defer_temperror = true; break;
	case OPTION_HELO: c->helo = true; break;
	case OPTION_MARK: c->mark = true; break;
	case OPTION_PRIVATE: c->private = true; break;
	case OPTION_RECEIVER: c->receiver = value; break;
	case OPTION_REJECT: c->reject_permerror = true; break;
	case OPTION_TIME: c->time_ms = 1000 * (int)option_number("--time", value, 1, TIME_MAX_S); break;
	case OPTION_TRUSTED: read_trusted(&c->trusted, value); break;
	case OPTION_HELP: option_print(help);
	case OPTION_VERSION: option_print(house_version);
	default: option_refuse("policy-spf", option, optopt, USAGE);
	}
}
/* clang-format on */

/* control/me, where nothing else is said. */
static const char *own_name(void)
{
	const char *name = "";
	int home = open(house_home(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (home != -1 && control_line(home, "control/me", &name) == CONTROL_ERROR)
		die(EXIT_TEMPORARY, "unable to read %s/control/me: %s", house_home(), errtext(errno));
	if (home != -1)
		close(home);
	return name;
}

static void config_of(struct config *c, int argc, char **argv)
{
	c->time_ms = 1000 * TIME_S;
	for (int o; (o = getopt_long(argc, argv, ":", long_options, NULL)) != -1;)
		set_option(c, o, optarg);
	if (optind != argc)
		die_usage(USAGE);
	if (c->receiver == NULL)
		c->receiver = own_name();
}

/* ---- judging -------------------------------------------------------------------------------------------- */

struct judge {
	const struct config *config;
	struct dns *dns;
	struct spf memory;
	struct spf_verdict verdict;
	char tag[2][32], field[2][FIELD], text[TEXT];
};

/* One identity: the verdict, its tag and its field. */
static void judge_one(struct judge *j, unsigned i, const struct policy_request *q,
	const struct addr *client, int64_t deadline_ms, struct policy_answer *a)
{
	struct spf_asker asker = { .dns = j->dns, .deadline_ms = deadline_ms };
	const struct spf_dns dns = spf_dns_of(&asker);
	const bool helo = i == 0;
	struct spf_question ask = { .sender = helo ? "" : q->sender,
		.helo = q->helo,
		.receiver = j->config->receiver,
		.now_s = (unsigned long)time(NULL) };
	const struct spf_field field = { .identity = helo ? "helo" : "mailfrom",
		.receiver = *ask.receiver != '\0' ? ask.receiver : "unknown",
		.client = q->client_address,
		.sender = q->sender,
		.helo = q->helo,
		.verdict = &j->verdict };
	struct str tag, out;

	memcpy(ask.ip, client->byte, sizeof ask.ip);
	spf_check(&j->memory, &ask, &dns, &j->verdict);
	str_init(&tag, j->tag[i], sizeof j->tag[i]);
	str_puts(&tag, helo ? "spf_helo=" : "spf=");
	str_puts(&tag, spf_result_name(j->verdict.result));
	str_init(&out, j->field[i], sizeof j->field[i]);
	spf_field_put(&out, &field);
	if (!policy_items_add(&a->tag, tag.s) || out.full || !policy_items_add(&a->header, out.s))
		warn("a verdict has no room in the answer");
}

/* What the publisher says is told as the publisher's: RFC 7208 section 8.4. */
static void put_reason(struct str *text, const struct spf_verdict *v, const char *client)
{
	const size_t used = strlen(v->explanation);

	if (used > 0) {
		str_puts(text, v->domain);
		str_puts(text, " explains: ");
		str_put(text, v->explanation,
			used < text->cap - 1 - text->len ? used : text->cap - 1 - text->len);
		return;
	}
	str_puts(text, v->domain);
	str_puts(text, " does not let ");
	str_puts(text, client);
	str_puts(text, " send its mail");
}

static void refuse(struct policy_answer *a, enum policy_action action, unsigned code, const char *status)
{
	a->action = action;
	a->code = code;
	a->status = status;
}

/* Does the verdict end it? None, neutral and softfail never do: RFC 7208 section 8. */
static bool decide(struct judge *j, const char *client, const char *what, struct policy_answer *a)
{
	const struct config *c = j->config;
	const struct spf_verdict *v = &j->verdict;
	struct str text;

	if (v->result == SPF_FAIL && !c->mark)
		refuse(a, POLICY_REJECT, 550, "5.7.23");
	else if (v->result == SPF_TEMPERROR && c->defer_temperror)
		refuse(a, POLICY_DEFER, 451, "4.4.3");
	else if (v->result == SPF_PERMERROR && c->reject_permerror)
		refuse(a, POLICY_REJECT, 550, "5.7.24");
	else
		return false;
	str_init(&text, j->text, sizeof j->text);
	str_puts(&text, "SPF of ");
	str_puts(&text, what);
	str_puts(&text, ": ");
	if (v->result == SPF_FAIL) {
		put_reason(&text, v, client);
	} else {
		str_puts(&text, v->domain);
		str_puts(&text, v->result == SPF_TEMPERROR ? ", for now: " : ", in its record: ");
		str_puts(&text, v->problem);
	}
	a->text = text.s;
	return true;
}

static bool is_judged(const struct config *c, const struct policy_request *q, struct addr *client)
{
	return q->stage == POLICY_MAIL && q->relay == 0 && addr_parse(q->client_address, client) == NULL &&
	       (c->private || !networks_is_private(client)) && !networks_have(&c->trusted, client);
}

static void answer(void *arg, const struct policy_request *q, struct policy_answer *a)
{
	struct judge *j = arg;
	const int64_t deadline_ms = clock_ms() + j->config->time_ms;
	struct addr client;

	if (!is_judged(j->config, q, &client))
		return;
	if (j->config->helo && *q->sender != '\0') { /* of a null sender it is judged anyway */
		judge_one(j, 0, q, &client, deadline_ms, a);
		if (decide(j, q->client_address, "HELO", a))
			return;
	}
	judge_one(j, 1, q, &client, deadline_ms, a);
	(void)decide(j, q->client_address, "MAIL FROM", a);
}

int main(int argc, char **argv)
{
	static struct config c;
	static struct judge j = { .config = &c };
	const struct policy_serve policy = { .answer = answer, .arg = &j };

	err_name("policy-spf");
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	config_of(&c, argc, argv);
	j.dns = dns_open();
	if (j.dns == NULL)
		die(EXIT_TEMPORARY, "unable to start looking up names: %s", errtext(errno));
	if (sandbox_enter(SANDBOX_POLICY) == -1)
		die(EXIT_TEMPORARY, "unable to enter the sandbox: %s", errtext(errno));
	_exit(policy_serve(&policy));
}
