/* queue/store_null.h - a store that says that it keeps everything, and keeps nothing: for measuring all the rest.
 *
 * Shape   what is finished is kept as soon as store_null_turn is called; the message of that event is no row but a
 *         number that counts from 1, and there is no envelope. Nothing is ever lost, or busy.
 * Errors  begin: ENOMEM. */
#ifndef QUEUE_STORE_NULL_H
#define QUEUE_STORE_NULL_H

#include "queue/store_ops.h"

extern const struct store_ops store_null_ops;

struct store *store_null_open(const struct store_events *e)
	__attribute__((warn_unused_result)); /* NULL: ENOMEM */
void store_null_turn(struct store *s);
uint64_t store_null_bytes(const struct store *s); /* of messages, in all */
void store_null_close(struct store *s);

#endif
