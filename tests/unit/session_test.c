#include "tcpserver/session.h"

#include "tests/unit/tap.h"

static void test_table(struct sessions *t)
{
	struct session *a = session_take(t), *b = session_take(t), *c = session_take(t);
	uint64_t old;

	if (!tap_ok(a != NULL && b != NULL && c != NULL && session_take(t) == NULL, "three and no more"))
		return;
	tap_ok(t->count == 3, "count");
	b->state = SESSION_RUNNING;
	b->pid = 77;
	tap_ok(session_of_pid(t, 77) == b && session_of_pid(t, 78) == NULL, "by pid");
	a->state = SESSION_WAITING;
	old = session_id(t, a);
	tap_ok(session_of_id(t, old) == a, "by id");
	session_give(t, a);
	tap_ok(session_of_id(t, old) == NULL, "not when it has gone");
	a = session_take(t);
	a->state = SESSION_WAITING;
	tap_ok(session_of_id(t, old) == NULL && session_of_id(t, session_id(t, a)) == a,
		"nor when its place has another");
	tap_ok(session_of_id(t, 1000) == NULL, "nor one that never was");
	session_give(t, a);
	session_give(t, b);
	session_give(t, c);
	tap_ok(t->count == 0 && session_of_pid(t, 77) == NULL, "all gone");
}

static void test_queue(struct sessions *t)
{
	struct session *a = session_take(t), *b = session_take(t), *c = session_take(t);

	session_wait(t, a);
	session_wait(t, b);
	session_wait(t, c);
	tap_ok(t->first == a && t->last == c, "in the order of arrival");
	session_leave_queue(t, b);
	tap_ok(t->first == a && a->after == c && c->before == a, "the middle one leaves");
	session_leave_queue(t, a);
	tap_ok(t->first == c && t->last == c, "the first one leaves");
	session_leave_queue(t, c);
	tap_ok(t->first == NULL && t->last == NULL, "nobody is left");
}

int main(void)
{
	struct sessions t;

	tap_ok(sessions_init(&t, 3) == 0, "a table");
	test_table(&t);
	test_queue(&t);
	sessions_free(&t);
	return tap_end();
}
