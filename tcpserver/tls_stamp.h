/* tls_stamp.h - which file it is, and whether it is the one of before. */
#ifndef TCPSERVER_TLS_STAMP_H
#define TCPSERVER_TLS_STAMP_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct tls_stamp {
	dev_t device;
	ino_t inode; /* 0: there is none */
	off_t size;
	struct timespec changed;
};

void tls_stamp(const char *path, struct tls_stamp *to); /* links are followed */
bool tls_stamp_same(const struct tls_stamp *a, const struct tls_stamp *b);
bool tls_stamp_is_public(const char *path); /* everybody can read it */

#endif
