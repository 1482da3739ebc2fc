/* policy-grey - makes senders that nobody knows come a second time: policy-grey(8). */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/option.h"
#include "net/addr.h"
#include "smtpd/grey_table.h"
#include "smtpd/policy_serve.h"

#define USAGE "policy-grey: usage: policy-grey [--delay S] [--good N] [--tarpit MS] FILE\n"

static const char help[] = USAGE
	"Answers smtpd as portero-policy(7) has it: a client, a sender and a recipient that FILE does not\n"
	"know together are told to come again later. See policy-grey(8).\n"
	"  --delay S    seconds that must pass before they come again, 300\n"
	"  --good N     a network that has come again so many times is known, 5; 0: none is\n"
	"  --tarpit MS  milliseconds of delay for a network that never comes again, 0\n"
	"  --help       this text\n"
	"  --version    the version of portero\n";

enum {
	RETRY_S = 2 * 24 * 3600, /* who comes again later than this is new */
	KNOWN_S = 35 * 24 *
		  3600, /* who has not come for so long is forgotten: more than a month, for lists */
	BAD_MANY = 10   /* from then on a network waits in the tarpit */
};

struct grey {
	struct grey_table table;
	const char *path;
	unsigned long delay_s, good, tarpit_ms;
	char text[96];
};

/* ---- judging ------------------------------------------------------------------------------------------- */

struct visit {
	uint32_t now_s;
	uint32_t delay_s;
	uint32_t left_s; /* of the delay; 0: it may pass */
	bool first_pass; /* it passes for the first time */
	struct grey_entry seen;
};

/* A clock that was set back starts nothing anew. */
static uint32_t since(uint32_t now_s, uint32_t then_s)
{
	return now_s > then_s ? now_s - then_s : 0;
}

static void judge(struct grey_entry *e, void *arg)
{
	struct visit *v = arg;
	const uint32_t age_s = since(v->now_s, e->good > 0 ? e->last_s : e->first_s);

	if (e->first_s == 0 || age_s > (e->good > 0 ? KNOWN_S : RETRY_S)) {
		*e = (struct grey_entry){ .first_s = v->now_s };
		v->left_s = v->delay_s;
	} else if (e->good == 0 && age_s < v->delay_s) {
		v->left_s = v->delay_s - age_s;
	}
	e->last_s = v->now_s;
	if (v->left_s > 0)
		return;
	v->first_pass = e->good == 0;
	e->good = 1;
}

static void look(struct grey_entry *e, void *arg)
{
	struct visit *v = arg;

	if (e->first_s == 0 || since(v->now_s, e->last_s) > KNOWN_S)
		*e = (struct grey_entry){ .first_s = v->now_s, .last_s = v->now_s };
	e->good += v->first_pass;
	e->bad += v->left_s > 0 && e->bad < UINT32_MAX;
	e->last_s = v->now_s;
	v->seen = *e;
}

static void visit(struct grey *g, const struct str *name, void (*change)(struct grey_entry *e, void *arg),
	struct visit *v)
{
	if (name->full)
		die(EXIT_TEMPORARY, "a name is too long");
	if (grey_table_visit(&g->table, name->s, name->len, change, v) == -1)
		die(EXIT_TEMPORARY, "%s: %s", g->path, strerror(errno));
}

/* Large senders try again from another of their machines: the network counts, /24 and /64. */
static void put_network(struct str *out, const char *text)
{
	struct addr a;

	if (addr_parse(text, &a) != NULL)
		str_puts(out, text); /* a Unix socket, or no server that knows */
	else
		str_put(out, a.byte, addr_is_v4(&a) ? 15 : 8);
}

static void put_lower(struct str *out, const char *text)
{
	str_putc(out, '\0');
	for (; *text != '\0'; text++)
		str_putc(out, (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text));
}

static void defer(struct grey *g, const struct visit *v, struct policy_answer *a)
{
	struct str text;

	str_init(&text, g->text, sizeof g->text);
	str_puts(&text, "greylisted, try again in ");
	str_putu(&text, v->left_s);
	str_puts(&text, " seconds");
	a->action = POLICY_DEFER;
	a->code = 450;
	a->text = text.s;
	if (v->seen.good == 0 && v->seen.bad >= BAD_MANY)
		a->delay = g->tarpit_ms;
}

static void answer(void *arg, const struct policy_request *q, struct policy_answer *a)
{
	struct grey *g = arg;
	struct visit v = { .now_s = (uint32_t)time(NULL), .delay_s = (uint32_t)g->delay_s };
	char memory[4096];
	struct str name;

	if (q->stage != POLICY_RCPT || q->relay || q->user[0] != '\0')
		return;
	str_init(&name, memory, sizeof memory);
	put_network(&name, q->client_address);
	visit(g, &name, look, &v);
	if (g->good > 0 && v.seen.good >= g->good)
		return;
	put_lower(&name, q->sender);
	put_lower(&name, q->recipient);
	visit(g, &name, judge, &v);
	str_reset(&name);
	put_network(&name, q->client_address);
	visit(g, &name, look, &v);
	if (v.left_s > 0)
		defer(g, &v, a);
	else if (v.first_pass && !policy_items_add(&a->tag, "greylisted"))
		return;
}

/* ---- the program --------------------------------------------------------------------------------------- */

static struct grey read_options(int argc, char **argv)
{
	static const struct option options[] = { { "delay", required_argument, NULL, 'd' },
		{ "good", required_argument, NULL, 'g' }, { "tarpit", required_argument, NULL, 't' },
		{ 0 } };
	struct grey g = { .delay_s = 300, .good = 5 };

	for (int o; (o = getopt_long(argc, argv, "+:", options, NULL)) != -1;)
		switch (o) {
		case 'd':
			g.delay_s = option_number("--delay", optarg, 0, RETRY_S);
			break;
		case 'g':
			g.good = option_number("--good", optarg, 0, UINT32_MAX - 1);
			break;
		case 't':
			g.tarpit_ms = option_number("--tarpit", optarg, 0, 60000);
			break;
		default:
			option_refuse("policy-grey", o, optopt, USAGE);
		}
	if (optind + 1 != argc)
		die_usage(USAGE);
	g.path = argv[optind];
	return g;
}

int main(int argc, char **argv)
{
	struct grey g;
	const struct policy_serve program = { .answer = answer, .arg = &g };

	err_name("policy-grey");
	err_option(argc, argv, help);
	g = read_options(argc, argv);
	if (grey_table_open(&g.table, g.path) == -1)
		die(EXIT_TEMPORARY, "%s: %s%s", g.path, strerror(errno),
			errno == EPROTO ? ": not a file of policy-grey; remove it, and a new one is made"
					: "");
	_exit(policy_serve(&program));
}
