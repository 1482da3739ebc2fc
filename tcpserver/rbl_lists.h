/* rbl_lists.h - what the lists of the DNS say about one client: all asked at once, judged in their order.
 *
 * Shape   rbl_add each list, rbl_ask once, then read the verdict. An address a.b.c.d is asked for as
 *         d.c.b.a.BASE, an IPv6 address as its 32 nibbles under BASE (RFC 5782 section 2.4). A list that
 *         blocks has a TXT record there, which is the text, or, given as BASE:TEXT, any A record; one that
 *         allows has any A record.
 * Order   the verdict is the one of asking list after list: the first that says something wins, however
 *         late its answer comes. What comes later in the order is not waited for.
 * Failing a list that fails, is silent until the deadline, or cannot be asked about this client: open (-C)
 *         takes it for one that allows or does not list, closed (-c) for one that does not allow or lists
 *         for now. After a failure nobody is refused for ever.
 * Units   texts are printable and at most RBL_TEXT - 1 bytes. */
#ifndef TCPSERVER_RBL_LISTS_H
#define TCPSERVER_RBL_LISTS_H

#include <stdbool.h>
#include <stddef.h>

#include "net/addr.h"
#include "net/dns.h"

/* BASE and 32 nibbles with their dots are a name; 200 bytes is what ucspi-tcp shows of a text. */
enum { RBL_LISTS = 64, RBL_BASE = DNS_NAME - 66, RBL_TEXT = 201 };

struct rbl_list {
	bool allows;
	bool bounce; /* -b: refuse for ever */
	bool closed; /* -c: a failure is a hit */
	char base[RBL_BASE];
	const char *own_text; /* with %IP%; NULL: that of the TXT record */
	bool open;
	enum dns_result result;
	char text[RBL_TEXT];
};

struct rbl {
	size_t count;
	struct rbl_list list[RBL_LISTS];
};

enum rbl_code { RBL_PASS, RBL_LATER, RBL_NEVER }; /* run the program, 451, 553 */

struct rbl_verdict {
	enum rbl_code code;
	const char *text; /* of the struct rbl, or fixed; NULL with RBL_PASS */
};

/* spec is BASE or, for a list that blocks, BASE:TEXT. NULL, or a sentence that says what is wrong with it. */
const char *rbl_add(struct rbl *r, const char *spec, bool allows, bool bounce, bool closed)
	__attribute__((warn_unused_result));

/* client NULL: nobody can be asked about whoever this is. */
struct rbl_verdict rbl_ask(struct rbl *r, const struct addr *client, int timeout_ms);

/* At most RBL_TEXT - 1 bytes of from, '?' for what is not printable. */
void rbl_clean(const char *from, char to[RBL_TEXT]);

#endif
