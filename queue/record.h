/* queue/record.h - the log's records: one after the other in a segment, each a multiple of 8 bytes.
 *
 * Shape   RECORD_HEAD bytes, then the payload, then zeros up to the multiple. In the head, in the byte order of the
 *         machine:
 *             0  u32  RECORD_MAGIC
 *             4  u32  bytes of the payload
 *             8  u64  number of the segment: a file that is used again still holds former records
 *            16  u64  number of the batch: the records that shared a flush
 *            24  u64  number of the message
 *            32  u32  kind
 *            36  u32  check of the head, with magic and segment as they should be
 *            40  u64  check of the payload
 *         Payloads are those of struct record_message and so on, below.
 * Errors  record_read tells whole from damaged, and finds the next whole one behind a damage.
 * Source  none: it is ours, and portero alone reads it. */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/checksum.h"

#define RECORD_MAGIC 0x316b7470u /* "ptk1" */
enum { RECORD_HEAD = 48, RECORD_ALIGN = 8, RECORD_MAX = 64 << 20 /* no record is as long */ };

enum record_kind {
	RECORD_MESSAGE = 1, /* struct record_message, envelope, message */
	RECORD_SHELVED = 2, /* struct record_message, envelope: the message is a file of the shelf */
	RECORD_STATE = 3,   /* struct record_state: a recipient is so now */
	RECORD_FLAGS = 4,   /* struct record_flags: the message is so now */
	RECORD_END = 5      /* nothing is left to do for it; no payload */
};

struct record_message {
	uint32_t born;
	uint32_t uid, pid;
	uint32_t flags;
	uint32_t recipients;
	uint32_t envelope; /* bytes */
	uint32_t bytes;    /* of the message */
	uint32_t spare;
};

struct record_state {
	uint32_t number; /* of the recipient, from 0, in the order of the envelope */
	uint32_t due;
	uint16_t tries;
	uint8_t state;
	uint8_t spare[5];
};

struct record_flags {
	uint32_t flags;
	uint32_t spare;
};

struct record {
	enum record_kind kind;
	uint64_t segment, batch, id;
	const char *payload;
	size_t length;
};

static inline size_t record_size(size_t length)
{
	return RECORD_HEAD + (length + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

/* Writes the head of a record whose payload stands behind it already, and the zeros at its end. to has
 * record_size(r->length) bytes; r->payload is not looked at. */
void record_seal(const struct checksum *c, const struct record *r, char *to);

/* What the head says of its payload's length, true or not. */
size_t record_length(const char head[RECORD_HEAD]);

enum record_found {
	RECORD_WHOLE,
	RECORD_DAMAGED, /* it was one: r->id and r->kind are right, its payload is not */
	RECORD_GARBAGE, /* none begins here, but one behind */
	RECORD_CUT, /* one began here that was not finished, or is damaged: r->id as it stands there; none behind */
	RECORD_NONE /* none here, and none behind */
};

/* What is at p in n bytes of that segment. *used: bytes up to what follows. After RECORD_GARBAGE that is the next
 * record; a RECORD_DAMAGED one's bytes are counted. */
enum record_found record_read(const struct checksum *c, uint64_t segment, const char *p, size_t n,
	struct record *r, size_t *used);

#endif
