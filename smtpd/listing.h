/* listing.h - what is known of the client's address before smtpd begins: the variable RBLSMTPD.
 *
 * Shape   not set or empty: nothing against it. A text: refused for now; behind a hyphen: for ever.
 * Units   a text is cut at LISTING_TEXT bytes, as rblsmtpd does.
 * Source  ucspi-tcp's rblsmtpd(1): set by rules, or by rblsmtpd --environment. */
#ifndef SMTPD_LISTING_H
#define SMTPD_LISTING_H

#include <stdbool.h>

enum { LISTING_TEXT = 200 };

struct listing {
	bool refuses;
	bool for_ever;
	char text[LISTING_TEXT + 1]; /* printable */
};

/* NULL: the variable is not set. */
void listing_read(struct listing *l, const char *value);

#endif
