/* net/rules_image.h - a rules file in memory that nobody else can touch or cut, verified as a whole.
 *
 * Errors  -1 with errno, as in net/rules.h; EAGAIN: it was being changed while we read it. */
#ifndef NET_RULES_IMAGE_H
#define NET_RULES_IMAGE_H

#include <cdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/str.h"
#include "net/addr.h"
#include "net/rules.h"

/* A key whose name is not in its normal form, so that its hash in the tables is not the normal one's. */
struct odd_key {
	unsigned hash; /* of the normal form */
	unsigned pos;
};

struct rules_image {
	struct cdb cdb;
	char *key;       /* room for any key of the file, so a longer question matches none */
	size_t key_room; /* with a NUL */
	struct odd_key *odd;
	size_t odd_count;
	size_t odd_room;
	bool v6_net[ADDR_BITS + 1]; /* there is a key of our own with this length */
	bool v6_info;               /* there is one behind "info@" */
};

/* st is fstat's of fd. */
int rules_image_load(struct rules_image *m, int fd, const struct stat *st)
	__attribute__((warn_unused_result));
void rules_image_free(struct rules_image *m);

/* 1 the key is there, its name in whatever spelling; 0 it is not; -1 errno. */
int rules_image_find(struct rules_image *m, const struct str *key, struct rules_verdict *v)
	__attribute__((warn_unused_result));

#endif
