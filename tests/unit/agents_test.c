/* Delivery agents: what each end makes of the other. The agent is this program, called with an argument; what it does
 * with a job is what the sender says. */
#include "queue/agents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "queue/agent.h"
#include "tests/unit/tap.h"

/* ---- the agent ------------------------------------------------------------------------------------------ */

enum { LIMIT = 3, TEXT = 20000 };

static struct agent_report report_of(
	const struct agent_job *j, unsigned long index, char letter, const char *text)
{
	struct agent_report r = { .job = j->number, .index = index, .letter = letter, .text = text };

	r.n = strlen(text);
	return r;
}

static void say(const struct agent_report *r)
{
	if (agent_report(r) == -1)
		_exit(5);
}

static void serve(const struct agent_job *j)
{
	const char *what = envelope_sender(&j->envelope);
	static char text[TEXT + 1];
	struct agent_report r;
	const ssize_t n = read(j->fd, text, TEXT);

	text[n > 0 ? n : 0] = '\0';
	if (strcmp(what, "ok") == 0) /* the last one first */
		for (size_t i = j->envelope.recipients; i > 0; i--) {
			r = report_of(j, i - 1, 'K', text);
			say(&r);
		}
	else if (strcmp(what, "long") == 0) {
		memset(text, 'x', TEXT);
		r = report_of(j, 0, 'D', text);
		say(&r);
	} else if (strcmp(what, "unreachable") == 0) {
		r = report_of(j, 0, 'Z', "no route (#4.4.1)");
		r.unreachable = true;
		say(&r);
	} else if (strcmp(what, "half") == 0) {
		usleep(100000); /* so that it dies with a job unread */
		r = report_of(j, 1, 'K', "this one");
		say(&r);
		_exit(3);
	} else if (strcmp(what, "index") == 0) {
		r = report_of(j, j->envelope.recipients, 'K', "nobody");
		say(&r);
	} else if (strcmp(what, "twice") == 0) {
		r = report_of(j, 0, 'K', "once");
		say(&r);
		say(&r);
	} else if (strcmp(what, "nonsense") == 0) {
		send(AGENT_FD, "hello", 5, 0);
	} else if (strcmp(what, "stranger") == 0) {
		r = report_of(j, 0, 'K', "not yours");
		r.job += 100;
		say(&r);
	}
}

static int be_agent(unsigned limit)
{
	static char memory[AGENT_PACKET + 1];
	struct agent_job j;
	int got;

	if (agent_open(limit) != NULL)
		return 100;
	while ((got = agent_next(&j, memory, true)) == 1) {
		serve(&j);
		close(j.fd);
	}
	return got == 0 ? 0 : 111;
}

/* ---- queued --------------------------------------------------------------------------------------------- */

enum { EVENTS = 64 };

static struct {
	struct agents *agents;
	unsigned limit, limits; /* the last one; how many times it was told */
	size_t reports, overs, faults;
	struct {
		uint64_t owner;
		unsigned long index;
		char letter;
		bool unreachable, own_fault;
		char status[AGENT_STATUS];
		char text[AGENT_TEXT + 1];
	} report[EVENTS];
	uint64_t over[EVENTS];
	char said[200];
} seen;

static void on_report(void *arg, uint64_t owner, const struct agent_report *r, bool own_fault)
{
	(void)arg;
	if (seen.reports == EVENTS)
		return;
	seen.report[seen.reports].owner = owner;
	seen.report[seen.reports].index = r->index;
	seen.report[seen.reports].letter = r->letter;
	seen.report[seen.reports].unreachable = r->unreachable;
	seen.report[seen.reports].own_fault = own_fault;
	memcpy(seen.report[seen.reports].status, r->status, sizeof r->status);
	memcpy(seen.report[seen.reports].text, r->text, r->n);
	seen.report[seen.reports].text[r->n] = '\0';
	seen.reports++;
	seen.faults += own_fault;
}

static void on_over(void *arg, uint64_t owner)
{
	(void)arg;
	if (seen.overs < EVENTS)
		seen.over[seen.overs++] = owner;
}

static void on_limit(void *arg, size_t agent, unsigned limit)
{
	(void)arg;
	(void)agent;
	seen.limit = limit;
	seen.limits++;
}

static void on_say(void *arg, const char *line)
{
	(void)arg;
	snprintf(seen.said, sizeof seen.said, "%s", line);
}

static bool has_limit(void)
{
	return seen.limit > 0;
}

static size_t overs_wanted;

static bool has_overs(void)
{
	return seen.overs >= overs_wanted;
}

/* Turns until it is so; false: not within five seconds. */
static bool until(bool (*is)(void))
{
	const int64_t end_ms = clock_ms() + 5000;

	while (!is() && clock_ms() < end_ms) {
		struct pollfd p = { .fd = agents_fd(seen.agents), .events = POLLIN };
		const int64_t wake_ms = agents_wake_ms(seen.agents);

		poll(&p, 1, clock_left_ms(wake_ms < end_ms ? wake_ms : end_ms));
		if (agents_turn(seen.agents) == -1)
			return false;
	}
	return is();
}

static bool until_overs(size_t count)
{
	overs_wanted = count;
	return until(has_overs);
}

static int message_of(const char *text)
{
	const int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd == -1 || fs_write_all(fd, text, strlen(text)) == -1 || lseek(fd, 0, SEEK_SET) == -1)
		tap_ok(false, "a message can be made");
	return fd;
}

static int start(unsigned long number, const char *what, size_t recipients)
{
	static char memory[AGENT_PACKET];
	struct agent_job j = { .number = number, .message = 7, .attempt = 1, .fd = message_of("the text") };
	int result;

	envelope_init(&j.envelope, memory, sizeof memory);
	if (!envelope_start(&j.envelope, what))
		return -1;
	for (size_t i = 0; i < recipients; i++)
		if (!envelope_add(&j.envelope, "r@b.example"))
			return -1;
	if (!envelope_finish(&j.envelope))
		return -1;
	result = agents_start(seen.agents, 0, &j, number + 1000);
	close(j.fd);
	return result;
}

static char self[4096];

static bool open_agents(const char *how, int timeout_ms)
{
	static char *argv[3];
	static const struct agents_calls calls = {
		.report = on_report, .over = on_over, .limit = on_limit, .say = on_say
	};
	struct agents_options o = { .commands = { argv }, .count = 1, .timeout_ms = timeout_ms };

	argv[0] = self;
	argv[1] = (char *)how;
	memset(&seen, 0, sizeof seen);
	seen.agents = agents_open(&o, &calls);
	return seen.agents != NULL;
}

static void test_reports(void)
{
	if (!tap_ok(open_agents("agent", 10000), "it opens") ||
		!tap_ok(start(1, "ok", 1) == -1 && errno == EAGAIN,
			"no job before the agent has said how many") ||
		!tap_ok(until(has_limit) && seen.limit == LIMIT, "the agent says how many it takes"))
		return;
	tap_ok(start(1, "ok", 3) == 0 && until_overs(1), "a job with three recipients is over");
	tap_ok(seen.reports == 3 && seen.report[0].index == 2 && seen.report[2].index == 0,
		"in the agent's order");
	tap_same(seen.report[0].text, "the text", "the message was there, from its first byte");
	tap_ok(seen.over[0] == 1001 && seen.report[0].owner == 1001 && seen.report[0].letter == 'K' &&
			strcmp(seen.report[0].status, "2.0.0") == 0 && !seen.report[0].own_fault,
		"what a report says");
	tap_ok(start(2, "long", 1) == 0 && until_overs(2) && seen.report[3].letter == 'D' &&
			strlen(seen.report[3].text) == AGENT_TEXT,
		"a text that is too long is cut");
	tap_ok(start(3, "unreachable", 1) == 0 && until_overs(3) && seen.report[4].unreachable &&
			seen.report[4].letter == 'Z' && strcmp(seen.report[4].status, "4.4.1") == 0,
		"deferred: the next hop could not be reached");
	tap_ok(start(4, "hang", 1) == 0 && start(5, "hang", 1) == 0 && start(6, "hang", 1) == 0,
		"three at once");
	tap_ok(start(7, "ok", 1) == -1 && errno == EAGAIN, "not four");
	tap_ok(start(8, "ok", 30000) == -1, "too many recipients");
	agents_close(seen.agents);
}

/* A job of two and one of one, deferred by us but for what was reported. */
static void test_end(const char *what, size_t reported)
{
	char name[100];

	snprintf(name, sizeof name, "%s: its jobs are deferred", what);
	if (!open_agents("agent", 10000) || !until(has_limit) || start(1, what, 2) == -1 ||
		start(2, "hang", 1) == -1 || usleep(200000) == -1 || !until_overs(2)) {
		tap_ok(false, name);
		return;
	}
	tap_ok(seen.reports == 3 && seen.faults == 3 - reported && seen.limits == 2 && seen.limit == 0,
		name);
	for (size_t i = reported; i < 3; i++)
		if (seen.report[i].letter != 'Z' || strcmp(seen.report[i].status, "4.3.0") != 0 ||
			seen.report[i].unreachable)
			tap_ok(false, "as a fault of ours");
	tap_ok(until(has_limit) && start(3, "ok", 1) == 0 && until_overs(3) && seen.report[3].letter == 'K',
		"it is started again");
	agents_close(seen.agents);
}

static bool was_limited_twice(void)
{
	return seen.limits >= 2;
}

static void test_late(void)
{
	if (!open_agents("agent", 300) || !until(has_limit) || start(1, "hang", 2) == -1) {
		tap_ok(false, "a job that hangs");
		return;
	}
	tap_ok(until_overs(1) && seen.reports == 2 && seen.faults == 2, "no report in time: deferred");
	tap_same(seen.said, "delivery agent did not report in time and gets no more jobs", "it is said");
	tap_ok(start(2, "ok", 1) == -1 && errno == EAGAIN, "the agent gets no more jobs");
	tap_ok(until(was_limited_twice) && until(has_limit) && start(3, "ok", 1) == 0 && until_overs(2) &&
			seen.report[2].letter == 'K',
		"another one does");
	agents_close(seen.agents);
}

static void test_none(void)
{
	struct agents_options o = { .count = 1 };
	static char name[] = "/nonexistent/agent";
	static char *argv[] = { name, NULL };
	static const struct agents_calls calls = { .say = on_say };

	o.commands[0] = argv;
	tap_ok(agents_open(&o, &calls) == NULL && errno == ENOENT, "no such program");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *what;
		size_t reported;
	} ends[] = { { "half", 1 }, { "index", 0 }, { "twice", 1 }, { "nonsense", 0 }, { "stranger", 0 } };

	if (argc == 2)
		return be_agent(LIMIT);
	if (realpath(argv[0], self) == NULL)
		return 1;
	test_reports();
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		test_end(ends[i].what, ends[i].reported);
	test_late();
	test_none();
	return tap_end();
}
