#include "queue/disk.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

static void list_init(struct disk_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct disk_list *l, struct disk_job *job)
{
	job->next = NULL;
	*l->last = job;
	l->last = &job->next;
}

static struct disk_job *list_take(struct disk_list *l)
{
	struct disk_job *job = l->first;

	if (job == NULL)
		return NULL;
	l->first = job->next;
	if (l->first == NULL)
		l->last = &l->first;
	return job;
}

/* NULL: it is time to end. */
static struct disk_job *next_job(struct disk *d)
{
	struct disk_job *job;

	pthread_mutex_lock(&d->lock);
	while ((job = list_take(&d->waiting)) == NULL && !d->ending)
		pthread_cond_wait(&d->work, &d->lock);
	pthread_mutex_unlock(&d->lock);
	return job;
}

static void give_back(struct disk *d, struct disk_job *job)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&d->lock);
	list_add(&d->finished, job);
	pthread_mutex_unlock(&d->lock);
	while (write(d->fd, &one, sizeof one) == -1 && errno == EINTR)
		;
}

static void *serve(void *arg)
{
	struct disk *d = arg;
	struct disk_job *job;

	pthread_mutex_lock(&d->lock);
	d->running = true;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->lock);
	while ((job = next_job(d)) != NULL) {
		job->run(job);
		give_back(d, job);
	}
	return NULL;
}

int disk_open(struct disk *d, int fd, void *arg)
{
	sigset_t all, before;
	int wrong;

	d->fd = fd;
	d->arg = arg;
	d->ending = false;
	d->running = false;
	list_init(&d->waiting);
	list_init(&d->finished);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->work, NULL);
	sigfillset(&all); /* signals are for the loop */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	wrong = pthread_create(&d->thread, NULL, serve, d);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (wrong != 0) {
		errno = wrong;
		return -1;
	}
	/* a sandbox that is entered next does not know the calls that a thread begins with */
	pthread_mutex_lock(&d->lock);
	while (!d->running)
		pthread_cond_wait(&d->work, &d->lock);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

void disk_give(struct disk *d, struct disk_job *job)
{
	pthread_mutex_lock(&d->lock);
	list_add(&d->waiting, job);
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
}

void disk_turn(struct disk *d)
{
	struct disk_list finished;
	struct disk_job *job;

	pthread_mutex_lock(&d->lock);
	finished = d->finished;
	if (finished.first == NULL)
		finished.last = &finished.first;
	list_init(&d->finished);
	pthread_mutex_unlock(&d->lock);
	while ((job = list_take(&finished)) != NULL)
		job->done(job, d->arg);
}

void disk_close(struct disk *d)
{
	struct disk_job *job;

	pthread_mutex_lock(&d->lock);
	d->ending = true;
	pthread_cond_signal(&d->work);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	disk_turn(d);
	while ((job = list_take(&d->waiting)) != NULL) { /* what those that came back have asked for */
		job->run(job);
		job->done(job, d->arg);
	}
	pthread_cond_destroy(&d->work);
	pthread_mutex_destroy(&d->lock);
}
