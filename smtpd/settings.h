/* settings.h - what the administrator said: control files and environment, read once before the greeting
 * and constant for the session.
 *
 * Source  qmail-smtpd(8), qmail-control(5), tcp-environ(5). */
#ifndef SMTPD_SETTINGS_H
#define SMTPD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/control.h"
#include "net/ucspi.h"
#include "smtpd/auth_words.h"
#include "smtpd/listing.h"

enum { SETTINGS_IPS = 64 };

/* SMTPNEWLINE: what becomes of a text with a bare CR or LF. In none of them does it take part in the end. */
enum newline {
	NEWLINE_REJECT, /* refused at its end; so is any other word */
	NEWLINE_DROP,   /* refused for now, and the session is over: qmail's way */
	NEWLINE_KEEP,   /* taken as it came */
	NEWLINE_FIX     /* it ends a line, of a text or of a command */
};

struct settings {
	const char *greeting;    /* control/smtpgreeting, else me */
	const char *queue;       /* QMAILQUEUE, control/queue, or the default */
	const char *queue_words; /* QUEUECAN, control/queuecan … */
	unsigned queue_can;      /* … as a set of smtpd/extensions.h */
	bool on_socket;          /* descriptor 0 is a client's connection, and no pipe or terminal */
	bool xclient;            /* XCLIENT: this client may say who its client is */
	const char *relay;       /* RELAYCLIENT: NULL, or what is put behind each recipient */
	struct listing listing;  /* RBLSMTPD */
	const char *localip;     /* control/localiphost, else me; NULL: none */
	unsigned long databytes; /* the file */
	uint64_t size_max;       /* DATABYTES, databytes: 0 is no limit */
	enum newline newline;
	struct auth_words auth;
	int timeout_ms; /* timeoutsmtpd: each read and each write */
	bool has_rcpthosts;
	struct control_list rcpthosts;
	int morercpthosts; /* descriptor of the cdb, or -1 */
	struct control_list badmailfrom;
	struct control_list badrcptto;
	const char *policies_file; /* SMTPPOLICIES, else "policies" */
	struct control_list policies;
	struct control_list queues; /* others than queue */
	const char *ucspi[UCSPI_VARS];
	uint32_t ips[SETTINGS_IPS]; /* this host's IPv4 addresses, network order */
	unsigned ip_count;
};

/* Reads everything from PORTERO_HOME, which becomes the working directory. NULL, or the name of what
 * cannot be read, with errno. */
const char *settings_read(struct settings *s);

/* The environment has become another connection's: what depends on it, once more. Of the environment that
 * is resident_of_connection (net/resident.h); all other variables are as settings_read found them. */
void settings_of_connection(struct settings *s);

#endif
