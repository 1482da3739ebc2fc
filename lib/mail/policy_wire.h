/* mail/policy_wire.h - what smtpd asks a policy, and what it is answered: blocks of text on caller's memory.
 *
 * Shape   "name=value" LF lines, an empty line ends the block. Bytes below 0x20, 0x7f and '%' of a value travel
 *         as %XX. Unknown names are skipped; a known one stands once, but tag,
 *         header and recipient_*. What is not known is
 *         "" or 0 in the structs and is left out on the wire. Texts point into the block and end in NUL.
 * Units   a block has POLICY_BLOCK bytes at most, its empty line included; delay is in milliseconds.
 * Errors  NULL is success; else a fixed sentence that says what is wrong with the block.
 * Source  portero-policy(7). */
#ifndef MAIL_POLICY_WIRE_H
#define MAIL_POLICY_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { POLICY_BLOCK = 64 * 1024, POLICY_ITEMS = 32 };

enum policy_stage {
	POLICY_OTHER, /* of a later version: to be answered "continue" */
	POLICY_CONNECT,
	POLICY_HELO,
	POLICY_MAIL,
	POLICY_RCPT,
	POLICY_DATA,
	POLICY_TEXT, /* no answer: this many bytes of the message follow the block */
	POLICY_END,
	POLICY_RESET, /* no answer: the transaction is over without an end */
	POLICY_CLOSE, /* no answer: the session is over */
	POLICY_STAGES
};

enum policy_action {
	POLICY_NO_ACTION, /* never in an answer that was decoded */
	POLICY_CONTINUE,
	POLICY_ACCEPT,
	POLICY_REJECT,
	POLICY_DEFER,
	POLICY_DISCARD,
	POLICY_DROP,
	POLICY_ACTIONS
};

struct policy_request {
	enum policy_stage stage;
	const char *session;
	const char *client_address;
	const char *client_name;
	const char *client_port;
	const char *server_address;
	const char *server_port;
	const char *helo;
	const char *protocol;
	const char *tls_version;
	const char *tls_cipher;
	const char *tls_fingerprint;
	const char *user;
	const char *sender;
	const char *sender_parameters;
	const char *recipient;
	const char *recipient_parameters;
	uint64_t recipients;
	uint64_t size;
	uint64_t relay; /* 1 or 0 */
	uint64_t bytes;
};

struct policy_items {
	size_t count;
	const char *item[POLICY_ITEMS];
};

#define POLICY_NO_MESSAGE UINT64_MAX

struct policy_answer {
	enum policy_action action;
	uint64_t code;              /* 0, or 400 to 599 */
	const char *status;         /* "", or "5.7.1" */
	const char *text;           /* any bytes but NUL */
	struct policy_items tag;    /* no blank, no comma, printable */
	struct policy_items header; /* "Name: value"; an LF inside is followed by a blank or tab */
	uint64_t delay;
	const char *queue;
	const char *sender; /* "<...>" instead of the sender; "": as it is */
	struct policy_items recipient_remove,
		recipient_add; /* "<...>", in this order: at POLICY_END only */
	uint64_t message;      /* bytes that follow the answer, or POLICY_NO_MESSAGE */
};

/* Everything unknown. */
void policy_request_init(struct policy_request *q);
void policy_answer_init(struct policy_answer *a);

/* The length of the first block with its empty line, or 0: more must come. searched: bytes of it that an
 * earlier call has seen. */
size_t policy_block_end(const char *p, size_t have, size_t searched);

/* A whole block of n bytes, changed in place. */
const char *policy_decode_request(char *block, size_t n, struct policy_request *q)
	__attribute__((warn_unused_result));
const char *policy_decode_answer(char *block, size_t n, struct policy_answer *a)
	__attribute__((warn_unused_result));

/* Puts a block; out->full: it did not fit. */
void policy_encode_request(struct str *out, const struct policy_request *q);
void policy_encode_answer(struct str *out, const struct policy_answer *a);

/* "5.7.1 words", of class 2, 4 or 5: the status is cut off and the words are returned; without one, the text as it was. */
char *policy_take_status(char *text, const char **status);

/* NULL or a sentence: may this be put in front of a message? */
const char *policy_check_header(const char *header) __attribute__((warn_unused_result));

/* False: the list is full. */
bool policy_items_add(struct policy_items *list, const char *item) __attribute__((warn_unused_result));

const char *policy_stage_name(enum policy_stage stage);
enum policy_stage policy_stage_find(const char *name); /* POLICY_OTHER: none of these */

/* Is an answer expected? */
bool policy_is_answered(enum policy_stage stage);

#endif
