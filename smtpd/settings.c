#include "smtpd/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/house.h"
#include "base/num.h"
#include "base/str.h"
#include "smtpd/extensions.h"

enum { TIMEOUT_S = 300 /* RFC 5321 section 4.5.3.2.7 */, QUEUE_PATH = 4096 };

/* One after another: the first that cannot be read stops the rest and is named. */
struct reader {
	int dir;
	const char *wrong;
};

static bool judge(struct reader *r, const char *name, enum control got)
{
	if (got == CONTROL_ERROR)
		r->wrong = name;
	return got == CONTROL_READ;
}

static const char *line(struct reader *r, const char *name, const char *fallback)
{
	const char *text;

	if (r->wrong != NULL || !judge(r, name, control_line(r->dir, name, &text)))
		return fallback;
	return text;
}

static unsigned long number(struct reader *r, const char *name, unsigned long fallback)
{
	unsigned long n;

	if (r->wrong != NULL || !judge(r, name, control_number(r->dir, name, &n)))
		return fallback;
	return n;
}

static bool list(struct reader *r, const char *name, struct control_list *out)
{
	return r->wrong == NULL && judge(r, name, control_list(r->dir, name, out));
}

/* Only asked for when rcpthosts is there, as in qmail-smtpd. */
static int open_more(struct reader *r)
{
	static const char name[] = "morercpthosts.cdb";
	int fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1 && errno != ENOENT && r->wrong == NULL)
		r->wrong = name;
	return fd;
}

/* For RCPT TO:<user@[1.2.3.4]>: the addresses of our interfaces, in three calls. */
static void find_ips(struct settings *s)
{
	struct ifreq interfaces[SETTINGS_IPS] = { 0 };
	struct ifconf conf = { .ifc_len = sizeof interfaces, .ifc_req = interfaces };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return;
	if (ioctl(fd, SIOCGIFCONF, &conf) == 0)
		for (size_t i = 0; i < (size_t)conf.ifc_len / sizeof interfaces[0]; i++) {
			const struct sockaddr_in *in = (const void *)&interfaces[i].ifr_addr;

			s->ips[s->ip_count++] = in->sin_addr.s_addr;
		}
	close(fd);
}

/* DATABYTES overrides the file; what is no number reads as 0; the largest number must stay countable. */
static uint64_t size_limit(unsigned long n)
{
	const char *text = getenv("DATABYTES");

	if (text != NULL)
		(void)num_leading(text, strlen(text), &n);
	return n == ULONG_MAX ? n - 1 : n;
}

static int timeout_ms(struct reader *r)
{
	unsigned long s = number(r, "timeoutsmtpd", TIMEOUT_S);

	if (s < 1)
		s = 1;
	return s > INT_MAX / 1000 ? INT_MAX : (int)s * 1000;
}

static const char *queue_command(struct reader *r, const char *home)
{
	static char fallback[QUEUE_PATH];
	const char *text = getenv("QMAILQUEUE");
	struct str path;

	if (text != NULL)
		return text;
	str_init(&path, fallback, sizeof fallback);
	str_puts(&path, "unix:");
	str_puts(&path, home);
	str_puts(&path, "/run/queue");
	return line(r, "queue", path.s);
}

static void read_queue_can(struct settings *s, struct reader *r)
{
	const char *words = getenv("QUEUECAN"), *unknown;

	s->queue_words = words != NULL ? words : line(r, "queuecan", "");
	s->queue_can = extensions_of_queue(s->queue_words, &unknown); /* --check tells of the unknown */
}

/* A file that is asked for must be there. */
static void read_policies(struct reader *r, struct settings *s)
{
	const char *name = getenv("SMTPPOLICIES");

	s->policies_file = name != NULL ? name : "policies";
	if (r->wrong != NULL || s->policies_file[0] == '\0')
		return;
	if (strchr(s->policies_file, '/') != NULL) {
		errno = EINVAL;
		r->wrong = s->policies_file;
	} else if (!list(r, s->policies_file, &s->policies) && r->wrong == NULL && name != NULL) {
		errno = ENOENT;
		r->wrong = name;
	}
}

static enum newline newline(void)
{
	static const char *const words[] = { [NEWLINE_REJECT] = "reject",
		[NEWLINE_DROP] = "drop",
		[NEWLINE_KEEP] = "keep",
		[NEWLINE_FIX] = "fix" };
	const char *word = getenv("SMTPNEWLINE");

	for (int i = NEWLINE_DROP; word != NULL && i <= NEWLINE_FIX; i++)
		if (strcmp(word, words[i]) == 0)
			return (enum newline)i;
	return NEWLINE_REJECT;
}

void settings_of_connection(struct settings *s)
{
	ucspi_read(s->ucspi);
	s->relay = getenv("RELAYCLIENT");
	s->xclient = getenv("XCLIENT") != NULL;
	s->newline = newline();
	s->auth = auth_words_read(getenv("SMTPAUTH"));
	unsetenv("SMTPAUTHUSER"); /* said by us alone */
	s->size_max = size_limit(s->databytes);
}

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

const char *settings_read(struct settings *s)
{
	struct reader r = { .dir = -1 };
	const char *home = house_home();
	const char *me;

	*s = (struct settings){ .morercpthosts = -1, .timeout_ms = TIMEOUT_S * 1000 };
	settings_of_connection(s);
	/* none of a connection that is handed over: whoever set it for the first one is not asked about that */
	listing_read(&s->listing, getenv("RBLSMTPD"));
	if (chdir(home) == -1)
		return home;
	r.dir = open("control", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.dir == -1)
		return "control";

	me = line(&r, "me", NULL);
	s->greeting = line(&r, "smtpgreeting", me);
	s->localip = line(&r, "localiphost", me);
	s->timeout_ms = timeout_ms(&r);
	s->databytes = number(&r, "databytes", 0);
	s->size_max = size_limit(s->databytes);
	s->queue = queue_command(&r, home);
	read_queue_can(s, &r);
	s->has_rcpthosts = list(&r, "rcpthosts", &s->rcpthosts);
	if (s->has_rcpthosts)
		s->morercpthosts = open_more(&r);
	(void)list(&r, "badmailfrom", &s->badmailfrom);
	(void)list(&r, "queues", &s->queues);
	(void)list(&r, "badrcptto", &s->badrcptto);
	read_policies(&r, s);
	find_ips(s);
	s->on_socket = is_socket(0);
	if (r.wrong == NULL && s->greeting == NULL) {
		errno = ENOENT;
		r.wrong = "me";
	}
	close(r.dir);
	return r.wrong;
}
