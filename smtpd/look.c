#include "smtpd/look.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/house.h"
#include "base/spawn.h"
#include "net/obey.h"
#include "queue/door.h"
#include "smtpd/extensions.h"
#include "smtpd/policy_line.h"

/* ---- as a client sees it ------------------------------------------------------------------------------- */

static bool is_address(const char *ip)
{
	unsigned char binary[16];

	return inet_pton(AF_INET, ip, binary) == 1 || inet_pton(AF_INET6, ip, binary) == 1;
}

/* They live as long as the process: their texts become the environment. */
static struct rules *rules_of(const char *cdb)
{
	struct rules *rules = rules_open(cdb);

	if (rules == NULL)
		die(EXIT_TEMPORARY, "out of memory");
	return rules;
}

static void obey(const char *ip, const char *cdb, struct env *env)
{
	const struct rules_client who = { .ip = ip };
	struct rules *rules = rules_of(cdb);
	struct obeyed why;

	switch (obey_rules(rules, false, false, &who, env, &why)) {
	case OBEY_ALLOW:
		return;
	case OBEY_DENY:
		die(0, "%s is denied by the rules of %s%s%s", ip, cdb,
			why.diemsg != NULL ? ", and told: " : "", why.diemsg != NULL ? why.diemsg : "");
	case OBEY_ERROR:
		break;
	}
	if (errno == EPERM)
		die(EXIT_PERMANENT, "%s: the rule for %s sets %.*s, which no server obeys", cdb, ip,
			why.unsafe_len, why.unsafe);
	die(EXIT_TEMPORARY, "%s: %s; compile it with tcprules", cdb, strerror(errno));
}

void look_as_client(const char *ip, const char *cdb)
{
	static struct env env;
	static const char *const others[] = { "TCPREMOTEHOST", "TCPREMOTEINFO", "TCPREMOTEPORT",
		"RELAYCLIENT" };

	if (!is_address(ip))
		die(EXIT_PERMANENT, "--as-client wants an IPv4 or IPv6 address, not %s", ip);
	if (env_init(&env, environ) == -1 || env_set(&env, "PROTO", "TCP") == -1 ||
		env_set(&env, "TCPREMOTEIP", ip) == -1)
		die(EXIT_TEMPORARY, "out of memory");
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		env_unset(&env, others[i]);
	if (cdb != NULL)
		obey(ip, cdb, &env);
	/* a terminal ends its lines in LF */
	if (env_get(&env, "SMTPNEWLINE") == NULL && env_set(&env, "SMTPNEWLINE", "fix") == -1)
		die(EXIT_TEMPORARY, "out of memory");
	environ = env.vector;
}

/* ---- are the files right? ------------------------------------------------------------------------------ */

static bool refuses;

static void say(const char *kind, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const char *kind, const char *what, const char *fmt, ...)
{
	va_list args;

	printf("%-8s %-14s ", kind, what);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

static unsigned long count(const struct control_list *list)
{
	unsigned long n = 0;

	for (size_t i = 0; i < list->bytes; i++)
		n += list->items[i] == '\0';
	return n;
}

static void check_rcpthosts(const struct settings *s)
{
	struct stat source, compiled;

	if (!s->has_rcpthosts)
		say("warning", "rcpthosts",
			"is not there: only clients with RELAYCLIENT can send; echo your.domain "
			">%s/control/rcpthosts",
			house_home());
	else
		say("ok", "rcpthosts", "%lu domains", count(&s->rcpthosts));
	if (s->morercpthosts == -1)
		return;
	if (fstat(s->morercpthosts, &compiled) == 0 && stat("control/morercpthosts", &source) == 0 &&
		source.st_mtime > compiled.st_mtime)
		say("warning", "morercpthosts", "is newer than morercpthosts.cdb: compile it");
	else
		say("ok", "morercpthosts", "morercpthosts.cdb");
}

static bool can_run(const char *command)
{
	char word[4096];
	const size_t n = strcspn(command, " \t");

	if (n == 0 || n >= sizeof word)
		return false;
	memcpy(word, command, n);
	word[n] = '\0';
	return spawn_finds(word);
}

/* NULL: there is a server, or a program that can be run. */
static const char *trouble_of(const char *queue)
{
	static struct door door;
	const char *trouble;

	if (strncmp(queue, "unix:", 5) != 0)
		return can_run(queue) ? NULL : "it cannot be run";
	trouble = door_open(&door, queue, 0);
	door_close(&door);
	return trouble;
}

static void check_queue(const struct settings *s)
{
	const char *trouble = trouble_of(s->queue), *unknown;

	if (trouble != NULL) {
		say("error", "queue",
			"%s: %s; every message is answered 451. QMAILQUEUE and control/queue name a socket "
			"(unix:PATH) or a program",
			s->queue, trouble);
		refuses = true;
		return;
	}
	say("ok", "queue", "%s", s->queue);
	(void)extensions_of_queue(s->queue_words, &unknown);
	if (unknown != NULL)
		say("warning", "queuecan", "%s: none of SMTPUTF8, DSN, BINARYMIME, REQUIRETLS", unknown);
	else if (s->queue_words[0] != '\0')
		say("ok", "queuecan", "%s", s->queue_words);
}

static void check_policies(const struct settings *s)
{
	for (size_t at = 0; at < s->policies.bytes; at += strlen(s->policies.items + at) + 1) {
		const char *line = s->policies.items + at, *wrong = "a line is longer than 1023 bytes";
		char text[POLICY_LINE];
		struct policy_line parsed;

		if (strlen(line) < sizeof text) {
			memcpy(text, line, strlen(line) + 1);
			wrong = policy_line_parse(&parsed, text);
		}
		say(wrong == NULL ? "ok" : "error", s->policies_file, "%s%s%s", line,
			wrong != NULL ? ": " : "", wrong != NULL ? wrong : "");
		refuses = refuses || wrong != NULL;
	}
}

static void check_checker(const struct auth_words *w, char *const checker[])
{
	if (checker != NULL && spawn_finds(checker[0])) {
		say("ok", "checker", "%s%s", checker[0], w->never ? ", which SMTPAUTH turns off" : "");
		return;
	}
	if (checker == NULL)
		say(w->require ? "error" : "ok", "checker", "none: no AUTH%s",
			w->require ? ", but SMTPAUTH requires it: every MAIL is answered 530" : "");
	else
		say("error", "checker", "%s cannot be run: every AUTH is answered 454", checker[0]);
	refuses = refuses || checker != NULL || w->require;
}

static const char *mechanisms(const struct auth_words *w)
{
	if (w->mechanisms == AUTH_PLAIN)
		return "PLAIN";
	return w->mechanisms == AUTH_LOGIN ? "LOGIN" : "PLAIN LOGIN";
}

static void check_auth(const struct settings *s, char *const checker[])
{
	const struct auth_words *w = &s->auth;

	if (w->wrong) {
		say("error", "SMTPAUTH", "%s: a word in it is not known; every MAIL is answered 451",
			getenv("SMTPAUTH"));
		refuses = true;
		return;
	}
	check_checker(w, checker);
	if (w->never) {
		say(w->require ? "error" : "ok", "SMTPAUTH", "no AUTH%s",
			w->require ? ", but it is required: every MAIL is answered 530" : "");
		refuses = refuses || w->require;
	} else if (checker != NULL) {
		say("ok", "SMTPAUTH", "%s, %s%s%s", mechanisms(w),
			w->clear ? "without encryption, too" : "within TLS only",
			w->given ? "" : ", not on port 25", w->require ? ", required before MAIL" : "");
	}
}

static void check_limits(const struct settings *s)
{
	if (s->size_max == 0)
		say("warning", "databytes",
			"no limit for the size of a message; echo 26214400 >%s/control/databytes",
			house_home());
	else
		say("ok", "databytes", "%llu bytes", (unsigned long long)s->size_max);
	say("ok", "timeoutsmtpd", "%d s", s->timeout_ms / 1000);
}

void look_check(const struct settings *s, const char *wrong, char *const checker[])
{
	say("ok", "home", "%s", house_home());
	if (wrong != NULL) {
		say("error", wrong, "%s: every client is answered 421%s", strerror(errno),
			strcmp(wrong, "me") == 0 ? "; write this host's name into control/me" : "");
		exit(EXIT_PERMANENT);
	}
	say("ok", "greeting", "%s", s->greeting);
	say("ok", "localiphost", "%s", s->localip != NULL ? s->localip : "none");
	check_rcpthosts(s);
	if (s->badmailfrom.bytes > 0)
		say("ok", "badmailfrom", "%lu senders", count(&s->badmailfrom));
	if (s->badrcptto.bytes > 0)
		say("ok", "badrcptto", "%lu recipients", count(&s->badrcptto));
	check_policies(s);
	check_auth(s, checker);
	check_limits(s);
	check_queue(s);
	if (s->listing.refuses)
		say("ok", "RBLSMTPD", "%s this client, %s%s: %s",
			s->relay != NULL ? "would refuse" : "refuses", s->listing.for_ever ? "553" : "451",
			s->relay != NULL ? ", but for RELAYCLIENT" : "", s->listing.text);
	if (s->relay != NULL)
		say("ok", "RELAYCLIENT", "is set: this client may send to anybody");
	exit(refuses ? EXIT_PERMANENT : 0);
}
