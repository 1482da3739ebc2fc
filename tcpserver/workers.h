/* workers.h - programs that stay for another connection (--resident): portero-resident(7).
 *
 * Shape   a worker is a number in a table made at start: a process that has the other end of a control
 *         socket. It is busy from its start, then idle after DONE, at most idle_max of them; the last one
 *         that became idle is the first to be used. One that breaks the protocol, or does not read, is
 *         let go: its socket is closed, its process is left to wait(2).
 *         All sockets here are close-on-exec and never block.
 * Cost    48 bytes a worker; nothing is allocated after workers_init. workers_hand_over sends one packet
 *         for each worker that it finds dead, and one for the one that lives.
 * Use     start:     c = workers_prepare(&w, &spawn); spawn_run; i = workers_started(&w, c, pid), which
 *                    also closes the program's end; watch workers_fd(&w, i) for reading
 *         next one:  i = workers_hand_over(&w, &pass, envp); -1: start a program. workers_pid(&w, i) is the
 *                    session's pid; what was passed may be closed
 *         readable:  workers_read(&w, i, &report) once for each event
 *         reaped:    workers_reaped(&w, i, status, &report) for one with a session, which ends with
 *                    report.exit_code if the event is DONE, moves on if it is BACK, else ends as status
 *                    says (CLOSED). i is nobody's after it, and after DONE and BACK of workers_read it is
 *                    not this session's. A pid without a session needs nothing: its socket tells it */
#ifndef TCPSERVER_WORKERS_H
#define TCPSERVER_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/env.h"
#include "base/spawn.h"
#include "net/pass.h"

struct worker {
	ino_t passed[PASS_MAX]; /* the sockets that it was handed: what comes back must be those; 0: none */
	pid_t pid;              /* 0: the entry is free */
	int fd;                 /* -1: it takes no more connections */
	int32_t after;          /* in the list of idle or of free entries; -1 is its end */
	uint32_t served;
	bool busy;
	bool last; /* its session is its last one */
};

struct workers {
	struct worker *table;
	char *block;
	size_t size;
	size_t high; /* entries from here on were never used */
	size_t idle_max;
	size_t idle_count;
	int32_t idle;
	int32_t free;
	uint32_t bound;
	int theirs;    /* of workers_prepare */
	bool has_done; /* some program knows what this is */
	bool told;
};

enum worker_event {
	WORKER_NOTHING, /* nothing was there to read */
	WORKER_DONE,    /* its session is over, with report.exit_code; it is idle, or was let go */
	WORKER_BACK, /* report.came is all that was handed over: start a program for it. The worker was let go */
	WORKER_CLOSED /* it takes no more connections; a session that it has ends with its process */
};

struct worker_report {
	enum worker_event event;
	pid_t pid;
	bool was_busy; /* a session of this pid is concerned */
	int exit_code;
	struct pass came; /* WORKER_BACK: ours to close */
	bool unaware;     /* workers_reaped, once: a program of one connection. Warn */
};

/* sessions_max: as many programs as -c lets run. -1 with ENOMEM. */
int workers_init(struct workers *w, size_t idle_max, unsigned bound, size_t sessions_max)
	__attribute__((warn_unused_result));
void workers_free(struct workers *w); /* lets all go */

/* RESIDENT and RESIDENT_MAX for a program and for every later environment of it. */
int workers_announce(const struct workers *w, struct env *e) __attribute__((warn_unused_result));

/* A pair; the program's end is mapped to descriptor 3. Ours, or -1 with errno: start it without. */
int workers_prepare(struct workers *w, struct spawn *s) __attribute__((warn_unused_result));
/* After spawn_run, with pid -1 when no program runs. A worker, or -1: no worker (control is closed). */
int workers_started(struct workers *w, int control, pid_t pid);

int workers_fd(const struct workers *w, int worker);
pid_t workers_pid(const struct workers *w, int worker);

/* A worker that has the connection now, or -1: none is idle, or the environment is too large for one. */
int workers_hand_over(struct workers *w, const struct pass *p, char *const envp[])
	__attribute__((warn_unused_result));

enum worker_event workers_read(struct workers *w, int worker, struct worker_report *r);
enum worker_event workers_reaped(struct workers *w, int worker, int status, struct worker_report *r);

/* Idle ones end now, busy ones after their session: for SIGHUP (programs of today, configuration too) and
 * for SIGTERM. */
void workers_retire(struct workers *w);

#endif
