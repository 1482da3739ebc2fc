/* policy_kept.h - what policies have said for later: headers, tags, a queue, that a message is thrown away.
 *
 * Shape   each belongs to the session, its HELO or its transaction, and is forgotten with that. A header, or a tag,
 *         that is there already is not kept again.
 * Units   POLICY_HEADERS and POLICY_TAGS bytes in all.
 * Errors  policy_kept_add: NULL, or words behind the policy's name; then nothing of the answer is kept. */
#ifndef SMTPD_POLICY_KEPT_H
#define SMTPD_POLICY_KEPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "mail/policy_wire.h"

enum { POLICY_HEADERS = 16 * 1024, POLICY_TAGS = 256, POLICY_QUEUE = 64 };

/* What is forgotten when: at the end of the session, at HELO, at the end of the transaction. */
enum policy_scope { POLICY_OF_SESSION, POLICY_OF_HELO, POLICY_OF_TRANSACTION, POLICY_SCOPES };

/* Text that grows, and where each scope of it begins. */
struct policy_trail {
	struct str text;
	size_t start[POLICY_SCOPES];
};

struct policy_kept {
	struct policy_trail headers, tags;
	size_t headers_written; /* of the headers, in front of the text at hand */
	bool discard[POLICY_SCOPES];
	char queue[POLICY_SCOPES][POLICY_QUEUE];
	char tag_bytes[POLICY_TAGS];
	size_t header_bytes_used; /* ever; the last thing before them: all before is wiped as a whole */
	char header_bytes[POLICY_HEADERS];
};

void policy_kept_init(struct policy_kept *k);
void policy_kept_begin(struct policy_kept *k, enum policy_scope scope); /* and all within it */
const char *policy_kept_add(struct policy_kept *k, enum policy_scope scope, const struct policy_answer *a)
	__attribute__((warn_unused_result));

bool policy_kept_discards(const struct policy_kept *k);
const char *policy_kept_queue(const struct policy_kept *k); /* "": none was named */

#endif
