/* queued - the queue: takes mail in by its socket, keeps it, and has it delivered: queued(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/house.h"
#include "base/option.h"
#include "base/sandbox.h"
#include "base/sigfd.h"
#include "base/user.h"
#include "queue/history.h"
#include "queue/intake.h"
#include "queue/store.h"

#define USAGE                                                                                            \
	"queued: usage: queued [-u USER] [-g GROUP] [-m MODE] [-s SOCKET] [-f FREE_MB] [-S SEGMENT_KB] " \
	"[DIRECTORY]\n"

static const char help[] = USAGE
	"Keeps the queue in DIRECTORY (PORTERO_HOME/queue) and takes mail in at SOCKET\n"
	"(PORTERO_HOME/run/queue), as portero-queue(7) says. The log is on descriptor 2. See queued(8).\n"
	"  -u USER            give up root, and be this user\n"
	"  -g GROUP           and of this group\n"
	"  -m MODE            of the socket, in octal (666)\n"
	"  -s SOCKET          its path\n"
	"  -f FREE_MB         refuse mail when less than so many MB of the disk are free (64)\n"
	"  -S SEGMENT_KB      size of a segment of the log (32768)\n"
	"  --help             this text\n"
	"  --version          the version of portero\n";

struct options {
	char directory[PATH_MAX], socket[PATH_MAX];
	mode_t mode;
	struct user user;
	struct store_options store;
};

struct queued {
	struct table *table;
	struct store *store;
	struct intake *intake;
	struct history history;
	int signals;
};

/* ---- what the store says --------------------------------------------------------------------------------- */

static void on_kept(
	void *arg, void *owner, uint32_t message, const struct envelope *e, const struct store_origin *from)
{
	struct queued *q = arg;
	const struct message *m = table_message(q->table, message);

	history_new(&q->history, m->id);
	history_info(&q->history, m->id, m->bytes, envelope_sender(e), (uint64_t)from->pid, from->uid);
	intake_kept(owner, m->id);
}

static void on_say(void *arg, const char *line)
{
	struct queued *q = arg;

	history_say(&q->history, "warning", line);
}

/* ---- options --------------------------------------------------------------------------------------------- */

static void copy_path(char path[PATH_MAX], const char *text)
{
	if ((size_t)snprintf(path, PATH_MAX, "%s", text) >= PATH_MAX)
		die(EXIT_PERMANENT, "%s: a path that is too long", text);
}

static void of_home(char path[PATH_MAX], const char *name)
{
	if ((size_t)snprintf(path, PATH_MAX, "%s/%s", house_home(), name) >= PATH_MAX)
		die(EXIT_PERMANENT, "PORTERO_HOME: a path that is too long");
}

static void must(const char *wrong, const char *option, const char *text)
{
	if (wrong != NULL)
		die(EXIT_PERMANENT, "%s %s: %s", option, text, wrong);
}

static void read_option(struct options *o, int letter)
{
	switch (letter) {
	case 'u':
		must(user_find(optarg, &o->user.uid), "-u", optarg);
		o->user.set_uid = true;
		break;
	case 'g':
		must(user_find_group(optarg, &o->user.gid), "-g", optarg);
		o->user.set_gid = true;
		break;
	case 'm':
		o->mode = option_mode("-m", optarg);
		break;
	case 's':
		copy_path(o->socket, optarg);
		break;
	case 'f':
		o->store.floor_bytes = (uint64_t)option_number("-f", optarg, 0, 1 << 30) << 20;
		break;
	case 'S':
		o->store.segment_bytes = (uint64_t)option_number("-S", optarg, 64, 1 << 20) << 10;
		break;
	default:
		option_refuse("queued", letter, optopt, USAGE);
	}
}

static void read_options(struct options *o, int argc, char **argv)
{
	int letter;

	*o = (struct options){ .mode = 0666, .store.floor_bytes = UINT64_C(64) << 20 };
	of_home(o->directory, "queue");
	of_home(o->socket, "run/queue");
	while ((letter = getopt(argc, argv, ":u:g:m:s:f:S:")) != -1)
		read_option(o, letter);
	if (argc - optind > 1)
		die_usage(USAGE);
	if (optind < argc)
		copy_path(o->directory, argv[optind]);
}

/* ---- start ------------------------------------------------------------------------------------------------ */

static int open_directory(const char *path)
{
	const int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		die(EXIT_TEMPORARY, "unable to open %s: %s", path, strerror(errno));
	return fd;
}

/* From here on there is no file for us but those of the queue and the socket. */
static void lock_paths(const struct options *o)
{
	char socket[PATH_MAX];
	int directories[2];

	copy_path(socket, o->socket);
	directories[0] = open_directory(o->directory);
	directories[1] = open_directory(dirname(socket));
	if (sandbox_below(directories, 2) == -1)
		die(EXIT_TEMPORARY, "unable to lock the file system away: %s", strerror(errno));
	close(directories[0]);
	close(directories[1]);
}

static void open_all(struct queued *q, const struct options *o)
{
	static const struct store_ops ops = { .begin = store_begin,
		.busy = store_busy,
		.write = store_write,
		.finish = store_finish,
		.abandon = store_abandon };
	const struct store_events e = {
		.arg = q, .kept = on_kept, .lost = intake_lost, .ready = intake_ready, .say = on_say
	};
	const struct intake_options in = { .path = o->socket, .mode = o->mode, .say = on_say, .arg = q };
	char why[256];

	q->table = table_open(NULL);
	if (q->table == NULL)
		die(EXIT_TEMPORARY, "%s", strerror(errno));
	q->store = store_open(o->directory, &o->store, q->table, &e, why, sizeof why);
	if (q->store == NULL)
		die(EXIT_TEMPORARY, "%s: %s", o->directory, why);
	q->intake = intake_open(&in, &ops, q->store, why, sizeof why);
	if (q->intake == NULL)
		die(EXIT_TEMPORARY, "%s: %s", o->socket, why);
}

/* ---- the loop --------------------------------------------------------------------------------------------- */

static int sooner(int a, int b)
{
	if (a == -1 || b == -1)
		return a == -1 ? b : a;
	return a < b ? a : b;
}

static void turn(struct queued *q)
{
	struct pollfd fds[] = { { .fd = intake_fd(q->intake), .events = POLLIN },
		{ .fd = store_fd(q->store), .events = POLLIN }, { .fd = q->signals, .events = POLLIN } };

	if (poll(fds, 3, sooner(intake_timeout_ms(q->intake), store_timeout_ms(q->store))) == -1)
		return;
	intake_turn(q->intake);
	store_turn(q->store);
	intake_flush(q->intake);
	history_flush(&q->history);
}

/* What is in somebody's hands is finished first, and answered. */
static void end(struct queued *q)
{
	intake_stop(q->intake);
	while (intake_unanswered(q->intake) > 0)
		turn(q);
	store_close(q->store);
	intake_close(q->intake);
	history_exiting(&q->history);
	history_flush(&q->history);
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGTERM, SIGINT };
	static struct queued q;
	struct options o;

	err_name("queued");
	err_option(argc, argv, help);
	read_options(&o, argc, argv);
	umask(0077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (fs_fill_stdio() == -1 || user_drop(&o.user) == -1)
		die(EXIT_TEMPORARY, "unable to give up privileges: %s", strerror(errno));
	q.signals = sigfd_open(signals, 2);
	if (q.signals == -1)
		die(EXIT_TEMPORARY, "unable to start: %s", strerror(errno));
	history_init(&q.history, STDERR_FILENO);
	lock_paths(&o);
	open_all(&q, &o);
	if (sandbox_enter(SANDBOX_QUEUED) == -1)
		die(EXIT_TEMPORARY, "unable to enter the sandbox: %s", strerror(errno));
	while (sigfd_next(q.signals) == 0)
		turn(&q);
	end(&q);
	_exit(0); /* what libraries do at an end may need calls that are locked away */
}
