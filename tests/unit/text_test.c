/* What is too slow: a question of numbers, since no test waits for minutes. */
#include "smtpd/text.h"

#include "tests/unit/tap.h"

#define MINUTE_MS INT64_C(60000)

int main(void)
{
	tap_ok(!text_is_too_slow(0, 0), "nothing yet, at once");
	tap_ok(!text_is_too_slow(0, 5 * MINUTE_MS), "nothing for five minutes");
	tap_ok(text_is_too_slow(0, 5 * MINUTE_MS + 1), "and no longer");
	tap_ok(!text_is_too_slow(30000, 6 * MINUTE_MS), "500 bytes a second for the minute behind them");
	tap_ok(text_is_too_slow(29000, 6 * MINUTE_MS), "and no less");
	tap_ok(!text_is_too_slow(UINT64_C(50) << 20, INT64_C(29) * 60 * MINUTE_MS),
		"50 MiB may take more than a day");
	return tap_end();
}
