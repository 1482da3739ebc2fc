/* beside HELD NEW PORT PID - what a client sees of a server that holds many others, and what they weigh.
 *
 * HELD connections are opened, each greeted; then NEW more, one after the other, beside them.
 * Prints: seconds until the greeting of a new one that 99 of 100 do not exceed; memory of process PID, the
 * server itself, in kB, beside none and beside HELD of them. That is what would not be there without it:
 * Private_Dirty of /proc/PID/smaps_rollup (proc(5)). Its text is a file's, and all servers share it. */
#include "bench.h"

enum { HELD_MAX = 4000, NEW_MAX = 4000 };

static int greeted(const struct sockaddr_in *to)
{
	char byte;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || connect(fd, (const struct sockaddr *)to, sizeof *to) == -1)
		fail("connect");
	if (recv(fd, &byte, 1, 0) != 1)
		give_up("a connection was not greeted");
	return fd;
}

/* Returns when the server has let go of it, so that each new one meets the same server. */
static void leave(int fd)
{
	char rest[64];

	shutdown(fd, SHUT_WR);
	while (recv(fd, rest, sizeof rest, 0) > 0)
		;
	close(fd);
}

static unsigned long own_kb(const char *pid)
{
	static const char label[] = "Private_Dirty:";
	char path[64], text[256];
	unsigned long kb = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%lu/smaps_rollup", number(pid));
	f = fopen(path, "re");
	if (f == NULL)
		fail(path);
	while (fgets(text, sizeof text, f) != NULL)
		if (strncmp(text, label, sizeof label - 1) == 0)
			kb = strtoul(text + sizeof label - 1, NULL, 10);
	fclose(f);
	return kb;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double took[NEW_MAX];
	static int fds[HELD_MAX];
	unsigned long held, fresh, alone, beside;
	struct sockaddr_in to;

	if (argc != 5)
		give_up("usage: beside held new port pid");
	alarm(PATIENCE_S);
	held = number(argv[1]);
	fresh = number(argv[2]);
	to = loopback(argv[3]);
	if (held > HELD_MAX || fresh < 1 || fresh > NEW_MAX)
		give_up("beside: at most 4000 each");
	for (int i = 0; i < 8; i++) /* what it needs for its first clients is not the weight of any */
		leave(greeted(&to));
	alone = own_kb(argv[4]);
	for (unsigned long i = 0; i < held; i++)
		fds[i] = greeted(&to);
	beside = own_kb(argv[4]);
	for (unsigned long i = 0; i < fresh; i++) {
		const double began = now_s();
		const int fd = greeted(&to);

		took[i] = now_s() - began;
		leave(fd);
	}
	qsort(took, fresh, sizeof *took, by_size);
	printf("%.6f %lu %lu ", took[fresh * 99 / 100], alone, beside);
	fflush(stdout);
	for (unsigned long i = 0; i < held; i++)
		close(fds[i]);
	return 0;
}
