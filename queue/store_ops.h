/* queue/store_ops.h - the part of a store that takes mail in, so that another may stand in its place.
 *
 * Shape   the functions of queue/store.h under their names there; store and message are the maker's own. */
#ifndef QUEUE_STORE_OPS_H
#define QUEUE_STORE_OPS_H

#include "queue/store.h"

struct store_ops {
	struct store_message *(*begin)(struct store *s, void *owner, const char *head, size_t n);
	bool (*busy)(const struct store_message *m);
	int (*write)(struct store_message *m, const void *p, size_t n);
	void (*finish)(struct store_message *m, const struct envelope *e, const struct store_origin *from);
	void (*abandon)(struct store_message *m);
};

#endif
