/* queue/intake_inside.h - what intake.c (who connects, the loop), intake_connection.c (what one of them says) and
 * intake_answer.c (what it is answered) know of each other. */
#ifndef QUEUE_INTAKE_INSIDE_H
#define QUEUE_INTAKE_INSIDE_H

#include "queue/door_wire.h"
#include "queue/intake.h"
#include "queue/intake_share.h"

enum { INTAKE_READ = 64 * 1024, INTAKE_ENVELOPES = 64 * 1024 * 1024 };

enum verdict {
	VERDICT_KEPT,
	VERDICT_MEMORY,
	VERDICT_FULL,
	VERDICT_WRITE,
	VERDICT_LARGE,
	VERDICT_CUT,
	VERDICT_FORMAT,
	VERDICT_ADDRESS,
	VERDICT_FRAME, /* the connection is closed behind these */
	VERDICT_CONNECTIONS,
	VERDICT_USER
};

struct connection;

/* A message, from its first byte to its answer: the owner that the store knows. */
struct handed {
	struct connection *from;
	uint64_t id;
	uint32_t when;
	unsigned char verdict; /* enum verdict */
	bool answered;
};

struct links {
	struct connection *before, *after;
};

struct chain {
	struct connection *first, *last;
};

struct connection {
	struct intake *in;
	int fd; /* -1: the peer is gone, and what is left is to wait for the store */
	unsigned events;
	struct store_origin peer;
	struct share *share;

	struct door_wire wire;
	bool begun;                    /* of the message at hand something has come */
	struct store_message *message; /* NULL: none, or it will not be taken: */
	enum verdict verdict;
	char *envelope; /* of share_take: room for all of it */
	size_t envelope_bytes;
	size_t envelope_len;

	struct handed ring[DOOR_WIRE_UNANSWERED]; /* the next free one is the message at hand */
	unsigned first, count;
	size_t sent; /* of the first one's answer */

	char *rest; /* was read, and has to wait */
	size_t rest_at, rest_len;

	bool readable; /* as poll says */
	bool hung;     /* the peer reads no more */
	bool eof;      /* and says no more */
	bool closing;  /* nor shall it */

	bool to_serve;
	struct connection *next_to_serve;
	bool awaited; /* from since_ms on */
	int64_t since_ms;
	struct links waiting, all;
};

struct intake {
	int epoll;
	int listener; /* -1: nobody connects any more */
	char *path;
	const struct store_ops *ops;
	struct store *store;
	void (*say)(void *arg, const char *line);
	void *arg;
	int stall_ms;

	bool everybody;
	uid_t *users;
	size_t user_count;
	uid_t alias, network, bounces;
	struct shares shares;

	int64_t now_ms;
	int64_t accept_ms; /* not before */
	int64_t said_ms;   /* that somebody was refused */
	bool has_said;
	size_t unanswered;
	struct chain waiting; /* peers that owe us something; the longest first */
	struct chain all;
	struct connection *to_serve;
	struct connection **last_to_serve;
	char bytes[INTAKE_READ]; /* of one connection, while it is served */
};

/* Of an errno, and of the envelope of a message; have bytes are all that came of it. */
enum verdict intake_verdict_of(int error);
enum verdict intake_verdict_of_envelope(struct envelope *e, size_t have);

/* The whole of an answer, as a frame; at most INTAKE_ANSWER bytes. */
enum { INTAKE_ANSWER = 128 };
size_t intake_answer_of(const struct handed *h, char to[INTAKE_ANSWER]);

/* NULL: ENOMEM. fd and share are its own then. */
struct connection *connection_open(struct intake *i, int fd, const struct store_origin *peer,
	struct share *share) __attribute__((warn_unused_result));
void connection_to_serve(struct connection *c); /* at the next connection_serve_all */
void connection_serve_all(struct intake *i);
void connection_say_no_more(struct connection *c); /* what is not whole is void */
void connection_gone(struct connection *c);        /* the same, and nothing is answered any more */
void connection_free(struct connection *c);        /* whatever the store still knows of it */

#endif
