/* mail/spf.h - does this domain let this address send its mail? RFC 7208.
 *
 * Shape   one call of spf_check asks and answers, by way of the caller's look-ups. The domain is that of the
 *         sender, of the HELO name when the sender is null; whoever wants the HELO name judged passes a null
 *         sender. Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d.
 * Cost    at most 10 terms that ask, 2 empty answers, 10 names of an mx and of the client, one explanation;
 *         no allocation: struct spf is the memory, and the stack of 10 nested records. Time is bounded by
 *         the look-ups, which answer SPF_FAILED when there is none left (RFC 7208 section 4.6.4 wants 20 s
 *         at least).
 * Errors  are results: SPF_TEMPERROR, SPF_PERMERROR; problem says why.
 * Choices where RFC 7208 leaves them: an mx with over 10 names is an error whether or not an earlier one
 *         would match; empty answers for names of the client count for nobody (the domain has no say in
 *         them), all others do; a name that cannot be asked for matches nothing and counts as no answer;
 *         a domain that is not ASCII has no record. */
#ifndef MAIL_SPF_H
#define MAIL_SPF_H

#include <string.h>

#include "mail/spf_macro.h"

enum spf_result { SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR, SPF_PERMERROR };

enum {
	SPF_SENDER = 1280, /* a longer sender is none: SPF_NONE */
	SPF_MECHANISM = 128,
	SPF_EXPLANATION = 400,
	SPF_RECORDS = 65536, /* of one chain of includes */
	SPF_NAMES = 10,
	SPF_V4_AT = 12 /* in an address: where one of IPv4 stands */
};

/* ---- what the caller asks the DNS for --------------------------------------------------------------- */

/* SPF_MISSING: no such name, or no such record. SPF_FAILED: nobody knows. */
enum spf_found { SPF_FOUND, SPF_MISSING, SPF_FAILED };

/* One record: of a TXT all its strings, joined; of an A 4 bytes, of an AAAA 16; of an MX and a PTR the name
 * as text without its last dot. */
typedef void spf_each(void *to, const void *data, size_t n);

/* name is spf_is_name, of any case. Those that find nothing call each not at all. */
typedef enum spf_found spf_look_up(void *arg, const char *name, spf_each *each, void *to);

struct spf_dns {
	spf_look_up *txt, *a, *aaaa, *mx;
	enum spf_found (*ptr)(void *arg, const unsigned char ip[16], spf_each *each, void *to);
	void *arg;
};

/* ---- the check --------------------------------------------------------------------------------------- */

static const unsigned char spf_v4_prefix[SPF_V4_AT] = { [10] = 0xff, [11] = 0xff };

static inline bool spf_is_v4(const unsigned char ip[16])
{
	return memcmp(ip, spf_v4_prefix, SPF_V4_AT) == 0;
}

struct spf_question {
	unsigned char ip[16];
	const char *sender;   /* "local@domain", or "" */
	const char *helo;     /* as the client said it */
	const char *receiver; /* %{r}; "" is unknown */
	unsigned long now_s;  /* %{t} */
};

struct spf_verdict {
	enum spf_result result;
	char domain[SPF_NAME];             /* who was asked; "" where there was nobody to ask */
	char mechanism[SPF_MECHANISM];     /* the term that decided, "default" when none did */
	char explanation[SPF_EXPLANATION]; /* of SPF_FAIL, one printable line of its publisher's; else "" */
	const char *problem;               /* of the two errors, else NULL */
};

/* The names of the client, asked for when they are first wanted. */
struct spf_client_name {
	char text[SPF_NAME];
	enum { SPF_UNCHECKED, SPF_VALID, SPF_INVALID } state;
};

struct spf {
	const struct spf_dns *dns;
	const struct spf_question *question;
	struct spf_values values;
	unsigned terms, voids;
	const char *problem;
	bool asked;
	enum spf_found client; /* what asking for its names came to */
	struct spf_client_name names[SPF_NAMES];
	size_t name_count;
	char mx[SPF_NAMES][SPF_NAME];
	size_t mx_count;
	char sender[SPF_SENDER];
	char dotted[64], readable[64], time[24];
	size_t used; /* of records */
	char records[SPF_RECORDS];
};

void spf_check(
	struct spf *s, const struct spf_question *q, const struct spf_dns *dns, struct spf_verdict *v);

const char *spf_result_name(enum spf_result r); /* "pass" */

#endif
