/* queue/door_wire.h - the frames of the queue's socket, both directions: portero-queue(7).
 *
 * Shape   a frame is a netstring, LEN:BYTES, with LEN in decimal without leading zeros; the first of its bytes is a
 *         letter. A client says M (a piece of the message), E (the envelope, ends the message), A (what was sent
 *         of it is void); a server K, Z or D and a text, in the order of the Es.
 *         The parser keeps no bytes: it shows them where they came, piece by piece, in whatever parts they come.
 * Units   LEN counts the letter. A frame of M and of an answer has DOOR_WIRE_FRAME bytes at most, one of E
 *         1 + DOOR_WIRE_ENVELOPE, one of A 1.
 * Errors  DOOR_WIRE_BAD, sticky: nothing that follows means anything.
 * Source  Netstrings (cr.yp.to/proto/netstrings.txt); K, Z and D: QMQP (cr.yp.to/proto/qmqp.html). */
#ifndef QUEUE_DOOR_WIRE_H
#define QUEUE_DOOR_WIRE_H

#include <stddef.h>

enum {
	DOOR_WIRE_FRAME = 1024 * 1024,
	DOOR_WIRE_ENVELOPE = 4 * 1024 * 1024,
	DOOR_WIRE_HEAD = 9,       /* at most: seven digits, a colon, the letter */
	DOOR_WIRE_UNANSWERED = 64 /* messages; then the server reads no more */
};

#define DOOR_WIRE_OF_CLIENT "MEA"
#define DOOR_WIRE_OF_SERVER "KZD"

enum door_wire_event {
	DOOR_WIRE_MORE,  /* everything is used */
	DOOR_WIRE_BEGIN, /* a frame: letter and total are known */
	DOOR_WIRE_BYTES, /* p and n are a piece of it */
	DOOR_WIRE_END,   /* it is whole */
	DOOR_WIRE_BAD
};

struct door_wire {
	const char *letters; /* that the other side may say */
	enum { DOOR_WIRE_LEN, DOOR_WIRE_LETTER, DOOR_WIRE_IN, DOOR_WIRE_COMMA, DOOR_WIRE_LOST } at;
	size_t left; /* of the frame; while its length is read: that */

	/* what an event says */
	char letter;
	size_t total; /* bytes behind the letter */
	const char *p;
	size_t n;
};

void door_wire_init(struct door_wire *w, const char *letters);

/* What comes next in p[0..n); *used says how many bytes that took. */
enum door_wire_event door_wire_next(struct door_wire *w, const char *p, size_t n, size_t *used)
	__attribute__((warn_unused_result));

/* The start of a frame with n bytes behind its letter; those and a comma follow. Returns its length. */
size_t door_wire_head(char to[DOOR_WIRE_HEAD], char letter, size_t n);

#endif
