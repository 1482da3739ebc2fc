#include "queue/sweep.h"

#include <stdlib.h>

#include "queue/numbers.h"
#include "queue/shelf.h"
#include "queue/store_inside.h"

struct listing {
	struct disk_job job;
	struct store *store;
	char folder[3];
	struct numbers files;
};

static void run(struct disk_job *job)
{
	struct listing *l = (struct listing *)job;

	if (numbers_list(l->store->shelf_dir, l->folder, &l->files) == -1)
		l->files.count = 0;
}

static void done(struct disk_job *job, void *arg)
{
	struct listing *l = (struct listing *)job;
	struct store *s = arg;

	s->sweep.away = false;
	for (size_t i = 0; i < l->files.count; i++)
		if (l->files.at[i] < s->sweep.before && table_find(s->table, l->files.at[i]) == 0) {
			store_unshelve(s, l->files.at[i]);
			s->sweep.gone++;
		}
	if (s->sweep.folder == SHELF_FOLDERS && s->sweep.gone > 0)
		store_say(s, "shelf: %u files of messages that are not queued are removed", s->sweep.gone);
	free(l->files.at);
	free(l);
}

void sweep_turn(struct store *s)
{
	struct sweep *w = &s->sweep;
	struct listing *l;

	if (w->off || w->away || w->folder == SHELF_FOLDERS)
		return;
	l = calloc(1, sizeof *l);
	if (l == NULL)
		return;
	l->store = s;
	shelf_folder(l->folder, w->folder++);
	w->away = true;
	l->job.run = run;
	l->job.done = done;
	disk_give(&s->slow, &l->job);
}
