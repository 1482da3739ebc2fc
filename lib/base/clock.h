/* base/clock.h - deadlines in monotonic milliseconds; the wall clock is only for dates (mail/header.h).
 *
 * Units   a timeout is a span in ms, a deadline a point in time in ms on CLOCK_MONOTONIC.
 *         CLOCK_NEVER is a deadline that does not come. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_ms(void);
int clock_left_ms(int64_t deadline_ms); /* for poll(2): -1 never, 0 passed, else ms, at most INT_MAX */

#endif
