/* server.h - the state of the server, and the three parts that work on it.
 *
 *      arrive.c   accept, PROXY header, verdict, limits, waiting room
 *      start.c    a slot: names, environment, program; and every end of a session
 *      serve.c    the one poll loop: time, signals, fairness */
#ifndef TCPSERVER_SERVER_H
#define TCPSERVER_SERVER_H

#include "tcpserver/admit.h"
#include "tcpserver/fair.h"
#include "tcpserver/limits.h"
#include "tcpserver/listeners.h"
#include "tcpserver/lookup.h"
#include "tcpserver/session.h"
#include "tcpserver/tls_link.h"
#include "tcpserver/workers.h"

enum { NO_SOURCE = 0xffffffffU };

struct server {
	const struct config *config;
	struct listeners *listeners;
	struct tls_link *tls;
	int poll; /* epoll(7) */
	int signals;
	const char **files; /* where the program may be */
	struct sessions sessions;
	struct admit_desk desk;
	struct limits limits;
	struct silence silence;
	struct workers workers; /* --resident */
	struct lookup lookup;
	int lookup_polled; /* the look-ups' socket, as far as epoll knows of it */
	int log_polled;    /* the log's descriptor: it takes no more at the moment */
	bool asking;       /* a question waits for room in the look-ups' socket */
	bool listening;    /* epoll watches the listeners */
	bool stopping;
	int64_t stop_at_ms; /* --drain: the end, whoever is still here */
	long next_number;   /* for a client without a process: above every pid */
	int64_t paused_until_ms;
	int64_t quiet_until_ms; /* about pauses */
	int64_t shed_at_ms;     /* the next look at who should go */
};

/* What epoll tells: what kind of descriptor, and which. */
enum watched { WATCH_SIGNALS, WATCH_LOOKUPS, WATCH_LOG, WATCH_LISTENER, WATCH_SESSION, WATCH_WORKER };
int server_watch(struct server *v, int fd, enum watched kind, uint32_t index, uint32_t events);
void server_unwatch(struct server *v, int fd);

bool server_logs(const struct server *v);
void server_log_status(const struct server *v);
void server_pause(struct server *v, const char *what, int error);

/* arrive.c */
void arrive_accept(struct server *v, uint32_t listener);
bool arrive_may_accept(const struct server *v);
void arrive_ready(struct server *v, struct session *s, uint32_t events); /* its descriptor is */
void arrive_late(struct server *v, struct session *s);                   /* its deadline has passed */
void arrive(struct server *v, struct session *s);                        /* its ends are known */

/* start.c */
void start_session(struct server *v, struct session *s, bool decided);   /* it gets a slot */
bool start_needs_names(const struct server *v, const struct session *s); /* before its verdict */
void start_waiting(struct server *v); /* so do those who wait, while there are some */
void start_ask_again(struct server *v);
void start_read_answers(struct server *v);
void start_without_names(struct server *v, int64_t up_to_ms);
void start_refuse(struct server *v, struct session *s, enum admit verdict, const struct names *names);
void start_drop(struct server *v, struct session *s, const char *what, int error);
void start_forget(struct server *v, struct session *s); /* without a word */
void start_ended(struct server *v, struct session *s, int status);
void start_read_worker(struct server *v, int worker);
void start_reaped(struct server *v, struct session *s, int status); /* its process */
enum admit start_judge(struct server *v, struct session *s, const struct names *names);

extern const struct names no_names;

#endif
