/* mail/header.h - the fields that transport adds, and the hops it counts.
 *
 * Source  RFC 5321 section 4.4 (Received), section 6.3 (loops); RFC 5322 section 3.3 (date-time). */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/str.h"

/* "24 Nov 2026 02:41:07 -0000": no weekday, no leading zero, always UTC, as in qmail. */
void header_date(struct str *out, time_t when);

/* Hops: Received and Delivered-To fields, counted while the header passes by in pieces of any size. */
struct header_hops {
	unsigned hops;
	bool over;      /* the empty line that ends the header has passed */
	char start[16]; /* the first bytes of the line that is passing */
	size_t len;     /* how many of them; stops counting at sizeof start */
};

void header_hops_init(struct header_hops *h);
void header_hops_feed(struct header_hops *h, const char *p, size_t n); /* lines end in LF or CR LF */

#endif
