/* queue/disk.h - a thread that waits for the disk, so that nobody else has to.
 *
 * Shape   jobs are done one after the other, in the order they were given. A job owns all that it touches until it
 *         comes back; there is no other memory that both sides know.
 * Errors  -1 with errno. A job's own result is its own affair. */
#ifndef QUEUE_DISK_H
#define QUEUE_DISK_H

#include <pthread.h>
#include <stdbool.h>

struct disk_job {
	void (*run)(struct disk_job *job); /* in the thread */
	void (*done)(
		struct disk_job *job, void *arg); /* in the loop, by disk_turn; arg is that of disk_open */
	struct disk_job *next;
};

struct disk_list {
	struct disk_job *first;
	struct disk_job **last;
};

struct disk {
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;
	struct disk_list waiting, finished;
	bool running, ending;
	int fd; /* an eventfd: something has come back */
	void *arg;
};

/* fd may belong to several. The thread runs when this returns. */
int disk_open(struct disk *d, int fd, void *arg) __attribute__((warn_unused_result));
void disk_give(struct disk *d, struct disk_job *job);
void disk_turn(struct disk *d);  /* what has come back */
void disk_close(struct disk *d); /* when all is done and has come back */

#endif
