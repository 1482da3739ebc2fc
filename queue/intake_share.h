/* queue/intake_share.h - places and memory that users of the queue's socket share.
 *
 * Shape   who wants one more gets it while more is free than that user holds: alone a user comes to half of all, the
 *         next one to half of the rest. So no one, and no few together, leave nothing for the others.
 * Errors  share_init: -1 with ENOMEM. share_enter and share_take: NULL, not now. */
#ifndef QUEUE_INTAKE_SHARE_H
#define QUEUE_INTAKE_SHARE_H

#include <stddef.h>
#include <sys/types.h>

struct share {
	uid_t uid;
	unsigned places; /* 0: this is nobody's */
	size_t bytes;
};

struct shares {
	unsigned limit;
	unsigned places; /* taken */
	size_t bytes_limit;
	size_t bytes;
	struct share *at; /* as many as there are places */
};

int share_init(struct shares *s, unsigned places, size_t bytes) __attribute__((warn_unused_result));
void share_free(struct shares *s);

/* The share stays where it is until its last place is left. */
struct share *share_enter(struct shares *s, uid_t uid) __attribute__((warn_unused_result));
void share_leave(struct shares *s, struct share *of);

void *share_take(struct shares *s, struct share *of, size_t bytes) __attribute__((warn_unused_result));
void share_give(struct shares *s, struct share *of, void *memory, size_t bytes);

#endif
