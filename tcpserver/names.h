/* names.h - what the two ends of a connection are called, as far as look-ups could tell. */
#ifndef TCPSERVER_NAMES_H
#define TCPSERVER_NAMES_H

#include <stdbool.h>

#include "net/dns.h"
#include "net/ident.h"

/* An empty host is none; the ident answer may be empty and yet be one. Fixed size,
 * without pointers: it crosses a socket between two processes of ours. */
struct names {
	char local_host[DNS_NAME];
	char remote_host[DNS_NAME];
	char remote_info[IDENT_TEXT];
	bool remote_confirmed; /* the client's address is one of remote_host's */
	bool has_remote_info;
};

#endif
