/* policy_peer.h - one policy: the program or the socket behind a line of control/policies.
 *
 * Shape   opened before the sandbox is entered; then read, write, poll and close are enough. Whoever fails once
 *         has failed for the rest of the process: what comes late would answer another question.
 * Units   each question has the line's time as a whole; so has each piece of text and of a message.
 * Errors  NULL is success; else a sentence, and the peer is closed. */
#ifndef SMTPD_POLICY_PEER_H
#define SMTPD_POLICY_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/io.h"
#include "smtpd/policy_line.h"

struct policy_peer {
	struct policy_line line;
	char text[POLICY_LINE]; /* of the line */
	int fd;                 /* -1: it has failed */
	pid_t pid;              /* of a program; -1: a socket */
	int pidfd;
	const char *broken;  /* why it could not be opened, until that has been told */
	bool in_session;     /* it has been asked in this session, and not told of its end */
	bool in_transaction; /* the same */
};

/* Memory for one exchange after another. */
struct policy_buffers {
	struct io_reader in;
	size_t used;
	char in_bytes[POLICY_BLOCK];
	char out_bytes[POLICY_BLOCK];
};

/* null_log: descriptor 2 is not ours to hand on. */
const char *policy_peer_open(struct policy_peer *p, bool null_log) __attribute__((warn_unused_result));

/* The texts of *a live until the next call. What follows an answer with a message is read by policy_peer_message. */
const char *policy_peer_ask(struct policy_peer *p, struct policy_buffers *b, const struct policy_request *q,
	struct policy_answer *a) __attribute__((warn_unused_result));

/* A request that is not answered; of text with its n bytes. */
const char *policy_peer_tell(struct policy_peer *p, struct policy_buffers *b,
	const struct policy_request *q, const char *text, size_t n) __attribute__((warn_unused_result));

/* The next piece of the message of which left bytes are to come. */
const char *policy_peer_message(struct policy_peer *p, struct policy_buffers *b, uint64_t left,
	const char **piece, size_t *n) __attribute__((warn_unused_result));

/* It says nothing and has not gone away. */
bool policy_peer_is_quiet(const struct policy_peer *p);

void policy_peer_fail(struct policy_peer *p);

/* What has been closed for all programs, they see; then each is waited for, a second at most. */
void policy_peer_wait(struct policy_peer *p);

#endif
