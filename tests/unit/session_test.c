#include "tcpserver/session.h"

#include "tests/unit/tap.h"

static void test_table(struct sessions *t)
{
	struct session *a = session_take(t), *b = session_take(t), *c = session_take(t);
	uint64_t old;

	if (!tap_ok(a != NULL && b != NULL && c != NULL && session_take(t) == NULL, "three and no more"))
		return;
	tap_ok(t->count == 3, "count");
	session_run(t, b, 77);
	tap_ok(session_of_pid(t, 77) == b && session_of_pid(t, 78) == NULL, "by pid");
	session_run(t, c, 77 + 64);
	tap_ok(session_of_pid(t, 77 + 64) == c && session_of_pid(t, 77) == b, "two pids in one chain");
	session_wait(t, a, SESSION_WAITING, 5);
	old = session_id(t, a);
	tap_ok(session_of_id(t, old) == a, "by id");
	session_leave_queue(t, a);
	tap_ok(session_of_id(t, old) == NULL, "not when it waits no more");
	session_give(t, a);
	a = session_take(t);
	session_wait(t, a, SESSION_WAITING, 5);
	tap_ok(session_of_id(t, old) == NULL && session_of_id(t, session_id(t, a)) == a,
		"nor when its place has another");
	tap_ok(session_of_id(t, 1000) == NULL, "nor one that never was");
	session_leave_queue(t, a);
	session_give(t, a);
	session_give(t, b);
	tap_ok(session_of_pid(t, 77) == NULL && session_of_pid(t, 77 + 64) == c,
		"one of the chain has gone");
	session_give(t, c);
	tap_ok(t->count == 0 && session_of_pid(t, 77 + 64) == NULL, "all gone");
}

static void test_queue(struct sessions *t)
{
	struct session *a = session_take(t), *b = session_take(t), *c = session_take(t);

	session_wait(t, a, SESSION_ROOM, 1);
	session_wait(t, b, SESSION_ROOM, 1);
	session_wait(t, c, SESSION_ROOM, 1);
	tap_ok(t->queue[QUEUE_ROOM].first == a && t->queue[QUEUE_ROOM].last == c,
		"in the order of arrival");
	session_leave_queue(t, b);
	tap_ok(t->queue[QUEUE_ROOM].first == a && a->after == c && c->before == a, "the middle one leaves");
	session_leave_queue(t, a);
	tap_ok(t->queue[QUEUE_ROOM].first == c && t->queue[QUEUE_ROOM].last == c, "the first one leaves");
	session_leave_queue(t, c);
	tap_ok(t->queue[QUEUE_ROOM].first == NULL && t->queue[QUEUE_ROOM].count == 0, "nobody is left");
}

int main(void)
{
	struct sessions t;

	tap_ok(sizeof(struct session) <= 128, "small");
	tap_ok(sessions_init(&t, 3) == 0, "a table");
	test_table(&t);
	test_queue(&t);
	sessions_free(&t);
	return tap_end();
}
