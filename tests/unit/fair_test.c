/* Real connections: how long they have been silent is what the kernel says. */
#include "tcpserver/fair.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/tap.h"

enum { LIMIT = 8, ROOM = 8 };

static struct sessions sessions;
static struct limits limits;
static const struct quota quota = { .bits4 = 24, .bits6 = 48 };
static int listener = -1;
static struct sockaddr_in address;

static void nap(long ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void open_listener(void)
{
	socklen_t size = sizeof address;

	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tap_ok(listener != -1 && bind(listener, (struct sockaddr *)&address, size) == 0 &&
			listen(listener, 64) == 0 &&
			getsockname(listener, (struct sockaddr *)&address, &size) == 0,
		"a listener");
}

/* A client at 127.0.0.last. */
static struct session *arrive(unsigned last)
{
	const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + last) };
	struct sockaddr_storage peer;
	socklen_t size = sizeof peer;
	struct session *s = session_take(&sessions);

	if (bind(client, (struct sockaddr *)&from, sizeof from) == -1 ||
		connect(client, (struct sockaddr *)&address, sizeof address) == -1)
		tap_ok(false, "connect");
	s->fd = accept(listener, (struct sockaddr *)&peer, &size);
	if (ends_of(s->fd, &peer, &s->ends) == -1)
		tap_ok(false, "ends");
	limits_enter(&limits, &quota, &s->ends.remote, &s->source, &s->net);
	return s;
}

static struct session *run(unsigned last)
{
	static pid_t pid = 100;
	struct session *s = arrive(last);

	s->has_slot = true;
	sessions.slots++;
	limits_slot(&limits, s->source, true);
	session_run(&sessions, s, ++pid);
	return s;
}

static struct session *wait_in_room(unsigned last)
{
	struct session *s = arrive(last);

	session_wait(&sessions, s, SESSION_ROOM, INT64_MAX);
	return s;
}

static void say(const struct session *s)
{
	if (write(s->fd, "x", 1) != 1)
		tap_ok(false, "write");
}

int main(void)
{
	struct silence silence = { -1 };
	struct session *victims[FAIR_AT_ONCE], *heavy[5], *light[2], *first, *second, *another, *third;

	open_listener();
	if (!tap_ok(sessions_init(&sessions, LIMIT + ROOM) == 0 && limits_init(&limits, LIMIT + ROOM) == 0,
		    "tables"))
		return tap_end();
	for (int i = 0; i < 5; i++)
		heavy[i] = run(2);
	for (int i = 0; i < 2; i++)
		light[i] = run(3);
	run(4);
	tap_ok(fair_victims(&sessions, &limits, &silence, LIMIT, 0, victims) == 0,
		"nobody waits, nobody goes");
	first = wait_in_room(2);
	second = wait_in_room(5);
	another = wait_in_room(7);
	tap_ok(fair_next(&sessions, &limits, 0) == second, "the next one is who has none");
	tap_ok(fair_victims(&sessions, &limits, &silence, LIMIT, 0, victims) == 0,
		"nobody was silent for long");
	tap_ok(fair_victims(&sessions, &limits, &silence, LIMIT, 2999, victims) == 0,
		"nor has anybody waited for long");
	tap_ok(fair_victims(&sessions, &limits, &silence, LIMIT, 3000, victims) == 1 &&
			victims[0]->source == heavy[0]->source,
		"for who has waited the heaviest loses one that is not silent, one at a time");
	nap(300);
	say(heavy[2]);
	nap(300);
	say(heavy[0]);
	nap(300);
	tap_ok(fair_victims(&sessions, &limits, &silence, LIMIT, 0, victims) == 2,
		"as many as wait and have least");
	tap_ok(victims[0]->source == heavy[0]->source && victims[1]->source == heavy[0]->source,
		"of the heaviest address");
	tap_ok(victims[0] != heavy[0] && victims[1] != heavy[0], "not who has just spoken");
	tap_ok(victims[0] != heavy[2] && victims[1] != heavy[2], "who has been silent longer goes first");
	tap_ok(light[0]->state == SESSION_RUNNING, "asking changes nothing");
	session_wait(&sessions, victims[0], SESSION_SHUT, 0);
	tap_ok(fair_victims(&sessions, &limits, &silence, LIMIT, 0, victims) == 1, "who is leaving counts");
	session_leave_queue(&sessions, second);
	session_leave_queue(&sessions, another);
	tap_ok(fair_victims(&sessions, &limits, &silence, LIMIT, 0, victims) == 0,
		"nobody goes for his own address");
	limits_shed(&limits, second->source, 1000);
	session_wait(&sessions, second, SESSION_ROOM, INT64_MAX);
	third = wait_in_room(6);
	tap_ok(fair_next(&sessions, &limits, 1000) == third,
		"who lost one lately waits behind who has none");
	tap_ok(fair_heaviest(&sessions, &limits) == first, "the heaviest of the room");
	return tap_end();
}
