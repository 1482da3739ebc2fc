/* milter_link.h - the connection to a milter: where it is, packets out and in by deadline.
 *
 * Shape   commands are gathered and leave together; answers are read one by one into the link's own memory.
 * Units   times in ms.
 * Errors  a milter that cannot be reached, does not answer in time or answers nonsense ends the program: exit
 *         code 111 and one line that names it. What becomes of the mail is decided where the policy is listed. */
#ifndef SMTPD_MILTER_LINK_H
#define SMTPD_MILTER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/io.h"
#include "mail/milter.h"

enum { MILTER_OUT = MILTER_CHUNK_1M + 128 * 1024 };

struct milter_place {
	const char *text; /* as it was given */
	union {
		struct sockaddr any;
		struct sockaddr_storage inet;
		struct sockaddr_un unix_path;
	} to;
	socklen_t size;
};

struct milter_link {
	const struct milter_place *place;
	int connect_ms;
	int fd; /* -1: closed */
	struct milter_options agreed;
	struct io_reader in;
	size_t used;    /* of out_bytes */
	size_t skipped; /* the packet in the window that was handed out last, with its length */
	char in_bytes[MILTER_PACKET + 4];
	char out_bytes[MILTER_OUT];
};

/* "unix:PATH", "local:PATH", "PATH", "inet:PORT@HOST", "inet6:PORT@HOST"; HOST is an address or localhost. */
const char *milter_place_parse(struct milter_place *p, const char *text)
	__attribute__((warn_unused_result));
/* The same from a host and a port. */
const char *milter_place_inet(struct milter_place *p, const char *text, const char *host, const char *port)
	__attribute__((warn_unused_result));

/* Connects, and agrees on the options. */
void milter_link_open(struct milter_link *l, const struct milter_options *offer);
/* Says so, if it can be said at once. */
void milter_link_close(struct milter_link *l);

/* A command behind those that were put already. */
void milter_link_begin(struct milter_link *l, struct milter_out *o, enum milter_command command);
void milter_link_end(struct milter_link *l, struct milter_out *o);
void milter_link_send(struct milter_link *l, int timeout_ms);

/* The next answer; its texts stay until the next call. */
void milter_link_receive(struct milter_link *l, int64_t deadline_ms, struct milter_answer_of *a);

_Noreturn void milter_link_fail(const struct milter_link *l, const char *why);

#endif
