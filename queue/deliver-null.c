/* deliver-null - a delivery agent that delivers to nobody: deliver-null(8). */
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/option.h"
#include "queue/agent.h"

#define USAGE "deliver-null: usage: deliver-null [--defer | --fail] [--jobs N]\n"

static const char help[] = USAGE
	"Takes jobs as portero-agent(7) says and reports each recipient as delivered, without reading the\n"
	"message: for measuring and for trying queued out. See deliver-null(8).\n"
	"  --defer     report each as deferred\n"
	"  --fail      report each as failed\n"
	"  --jobs N    at once (20)\n"
	"  --help      this text\n"
	"  --version   the version of portero\n";

struct options {
	struct agent_report report;
	unsigned jobs;
};

static struct agent_report report_of(char letter, const char *text)
{
	return (struct agent_report){ .letter = letter, .text = text, .n = strlen(text) };
}

static struct options read_options(int argc, char **argv)
{
	static const struct option names[] = { { "defer", no_argument, NULL, 'Z' },
		{ "fail", no_argument, NULL, 'D' }, { "jobs", required_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 } };
	struct options o = { .report = report_of('K', "thrown away (#2.0.0)"), .jobs = 20 };
	int letter;

	while ((letter = getopt_long(argc, argv, ":", names, NULL)) != -1)
		switch (letter) {
		case 'Z':
			o.report = report_of('Z', "deferred, as asked for (#4.3.0)");
			break;
		case 'D':
			o.report = report_of('D', "failed, as asked for (#5.3.0)");
			break;
		case 'j':
			o.jobs = (unsigned)option_number("--jobs", optarg, 1, AGENT_LIMIT);
			break;
		default:
			option_refuse("deliver-null", letter, optopt, USAGE);
		}
	if (optind != argc)
		die_usage(USAGE);
	return o;
}

static int serve(const struct agent_job *j, struct agent_report r)
{
	r.job = j->number;
	for (r.index = 0; r.index < j->envelope.recipients; r.index++)
		if (agent_report(&r) == -1)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	static char memory[AGENT_PACKET + 1];
	struct options o;
	struct agent_job j;
	const char *wrong;
	int got;

	err_name("deliver-null");
	err_option(argc, argv, help);
	o = read_options(argc, argv);
	wrong = agent_open(o.jobs);
	if (wrong != NULL)
		die(EXIT_PERMANENT, "%s", wrong);
	while ((got = agent_next(&j, memory, true)) == 1) {
		close(j.fd);
		if (serve(&j, o.report) == -1)
			break;
	}
	if (got == -1)
		die(EXIT_TEMPORARY, "what came is no job");
	return 0;
}
