#include "queue/intake_share.h"

#include "tests/unit/tap.h"

static void test_places(void)
{
	struct share *of[16], *other, *third;
	struct shares s;
	unsigned n = 0;

	tap_ok(share_init(&s, 16, 1000) == 0, "sixteen places");
	while (n < 16 && (of[n] = share_enter(&s, 1000)) != NULL)
		n++;
	tap_ok(n == 8 && of[0] == of[7], "one user comes to half of them");
	for (n = 0; share_enter(&s, 1001) != NULL; n++)
		;
	tap_ok(n == 4, "the next one to half of the rest");
	for (n = 0; share_enter(&s, 1002) != NULL; n++)
		;
	tap_ok(n == 2, "and so on");
	share_leave(&s, of[0]);
	share_leave(&s, of[0]);
	tap_ok(share_enter(&s, 1000) == NULL, "one of two that were given back is not for who has six");
	third = share_enter(&s, 1002);
	tap_ok(third != NULL && third->places == 3, "but for who has two");
	for (n = 0; n < 6; n++)
		share_leave(&s, of[0]);
	other = share_enter(&s, 1003);
	tap_ok(other == of[0] && other->uid == 1003 && other->places == 1,
		"a share that is empty is anybody's");
	share_free(&s);
}

static void test_memory(void)
{
	struct share *a, *b;
	struct shares s;
	void *first, *second;

	tap_ok(share_init(&s, 4, 1000) == 0, "a thousand bytes");
	a = share_enter(&s, 0);
	b = share_enter(&s, 1);
	tap_ok(share_take(&s, a, 1001) == NULL, "more than there is");
	first = share_take(&s, a, 500);
	tap_ok(first != NULL && share_take(&s, a, 1) == NULL, "half of it is a share");
	second = share_take(&s, b, 250);
	tap_ok(second != NULL && share_take(&s, b, 1) == NULL, "then half of the rest");
	share_give(&s, a, first, 500);
	share_give(&s, b, second, 250);
	first = share_take(&s, b, 1000);
	tap_ok(s.bytes == 1000 && first != NULL, "what was given back is there again");
	share_give(&s, b, first, 1000);
	share_free(&s);
}

int main(void)
{
	test_places();
	test_memory();
	return tap_end();
}
