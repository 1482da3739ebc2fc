/* mail/spf_record.h - the terms of an SPF record, one after another.
 *
 * Shape   a term is a view of the record's bytes; a record is checked as a whole before any of it counts.
 * Errors  NULL is success; else a fixed sentence that fits behind the offending record.
 * Source  RFC 7208 sections 4.5, 4.6, 5, 6 and 12. A known modifier with a wrong value is an error, not an
 *         unknown modifier (erratum 2 of the test-suite). */
#ifndef MAIL_SPF_RECORD_H
#define MAIL_SPF_RECORD_H

#include "mail/spf_macro.h"

enum spf_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT,
	SPF_EXP,
	SPF_UNKNOWN,
	SPF_END
};

struct spf_term {
	enum spf_kind kind;
	char qualifier;         /* '+', '-', '?' or '~' */
	struct spf_text whole;  /* as it stands in the record */
	struct spf_text domain; /* empty: the current one */
	unsigned char ip[16];   /* of ip4 (::ffff:a.b.c.d) and ip6 */
	unsigned bits4, bits6;  /* 0 to 32 and 0 to 128 */
};

/* "v=spf1", alone or with a blank behind it. */
bool spf_is_record(const void *data, size_t n);

/* The term at *p, which goes behind it; kind is SPF_END when there is none. *p begins behind "v=spf1". */
const char *spf_record_next(const char **p, const char *end, struct spf_term *out)
	__attribute__((warn_unused_result));

/* All terms, and that redirect and exp come once. terms is what follows "v=spf1". */
const char *spf_record_check(struct spf_text terms) __attribute__((warn_unused_result));

#endif
