/* tcprulescheck - what a rules cdb says about the client named in the environment. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "net/rules.h"
#include "net/ucspi.h"
#include "tcprules/rules_verdict.h"

static const char usage[] = "tcprulescheck: usage: tcprulescheck rules.cdb\n";

static const char help[] =
	"tcprulescheck: usage: tcprulescheck rules.cdb\n"
	"Prints the rule for TCPREMOTEIP, TCPREMOTEHOST and TCPREMOTEINFO of the environment.\n"
	"  --help     print this and exit\n"
	"  --version  print the version and exit\n";

int main(int argc, char **argv)
{
	const char *environment[UCSPI_VARS];
	struct rules_client who;
	struct rules_verdict verdict;
	struct rules *rules;

	err_name("tcprulescheck");
	if (fs_fill_stdio() == -1)
		die(EXIT_TEMPORARY, "unable to open /dev/null: %s", errtext(errno));
	err_option(argc, argv, help);
	if (argc < 2 || strncmp(argv[1], "--", 2) == 0)
		die_usage(usage);

	ucspi_read(environment);
	who.ip = environment[UCSPI_REMOTEIP] != NULL ? environment[UCSPI_REMOTEIP] : "0.0.0.0";
	who.host = environment[UCSPI_REMOTEHOST];
	who.info = environment[UCSPI_REMOTEINFO];

	rules = rules_open(argv[1]);
	if (rules == NULL || rules_refresh(rules) == -1 || rules_find(rules, &who, &verdict) == -1)
		die(EXIT_TEMPORARY, "unable to read %s: %s", argv[1], errtext(errno));
	rules_verdict_print(&verdict, stdout);
	rules_close(rules);
	return fflush(stdout) == 0 ? 0 : EXIT_TEMPORARY;
}
