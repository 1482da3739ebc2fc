/* Intake, with a store that this test plays: what comes is written down, and kept when the test says so. */
#include "queue/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/tap.h"

enum { MESSAGES = 256, TEXT = 512 * 1024 };

/* ---- the store ----------------------------------------------------------------------------------------- */

struct store_message {
	void *owner;
	char *text;
	size_t len;
	char envelope[256];
	size_t envelope_len;
	struct store_origin from;
	enum { OPEN, FINISHED, ABANDONED } state;
};

static struct store_message messages[MESSAGES];
static unsigned count;
static bool is_busy;
static int begin_error, write_error;

static struct store_message *store_start(struct store *s, void *owner, const char *head, size_t n)
{
	struct store_message *m = &messages[count];

	(void)s;
	if (begin_error != 0 || count == MESSAGES) {
		errno = begin_error;
		return NULL;
	}
	count++;
	*m = (struct store_message){ .owner = owner, .text = malloc(TEXT), .len = n };
	if (m->text == NULL)
		abort();
	memcpy(m->text, head, n);
	return m;
}

static bool busy(const struct store_message *m)
{
	(void)m;
	return is_busy;
}

static int put(struct store_message *m, const void *p, size_t n)
{
	if (m->state != OPEN || m->len + n > TEXT)
		abort();
	errno = write_error;
	if (write_error != 0)
		return -1;
	memcpy(m->text + m->len, p, n);
	m->len += n;
	return 0;
}

static void finish(struct store_message *m, const struct envelope *e, const struct store_origin *from)
{
	if (m->state != OPEN || e->len > sizeof m->envelope)
		abort();
	memcpy(m->envelope, e->bytes, e->len);
	m->envelope_len = e->len;
	m->from = *from;
	m->state = FINISHED;
}

static void abandon(struct store_message *m)
{
	if (m->state != OPEN)
		abort();
	m->state = ABANDONED;
}

static const struct store_ops ops = {
	.begin = store_start, .busy = busy, .write = put, .finish = finish, .abandon = abandon
};

static void store_forget(void)
{
	while (count > 0)
		free(messages[--count].text);
	is_busy = false;
	begin_error = write_error = 0;
}

/* ---- the loop ------------------------------------------------------------------------------------------ */

static const char path[] = "intake_test.sock";
static struct intake *in;
static char said[256];

static void hear_line(void *arg, const char *line)
{
	(void)arg;
	snprintf(said, sizeof said, "%s", line);
}

static struct intake *open_intake(struct intake_options o, char *why)
{
	if (o.path == NULL)
		o.path = path;
	if (o.mode == 0)
		o.mode = 0600;
	o.say = hear_line;
	said[0] = '\0';
	return intake_open(&o, &ops, NULL, why, 256);
}

static void start(struct intake_options o)
{
	char why[256];

	store_forget();
	in = open_intake(o, why);
	if (in == NULL) {
		printf("Bail out! %s\n", why);
		exit(1);
	}
}

static void stop(void)
{
	intake_stop(in);
	intake_close(in);
	store_forget();
}

/* Until nothing is left to be done. */
static void turn(void)
{
	struct pollfd p = { .fd = intake_fd(in), .events = POLLIN };

	for (int i = 0; i < 2000; i++) {
		const int wait = intake_timeout_ms(in);

		if (poll(&p, 1, wait == 0 ? 0 : 5) == 0 && wait != 0)
			return;
		intake_turn(in);
	}
	tap_ok(false, "the loop comes to rest");
}

static int dial(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(at.sun_path, path, sizeof path);
	if (fd == -1 || connect(fd, (const struct sockaddr *)&at, sizeof at) == -1)
		return -1;
	return fd;
}

static bool tell(int fd, const char *p, size_t n)
{
	while (n > 0) {
		const ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w > 0) {
			p += w;
			n -= (size_t)w;
		} else if (errno != EAGAIN) {
			return false;
		}
		turn();
		if (w == -1 && send(fd, p, n, MSG_NOSIGNAL) == -1)
			return false; /* it takes no more, and will not */
	}
	turn();
	return true;
}

/* What came back; '$' at the end: and it was closed. */
static const char *hear(int fd)
{
	static char text[16384];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, text + len, sizeof text - 2 - len, 0)) > 0)
		len += (size_t)n;
	if (n == 0)
		text[len++] = '$';
	text[len] = '\0';
	return text;
}

static const char whole[] = "5:Mabc\n,8:EFs\0Tr\0\0,";
enum { WHOLE = sizeof whole - 1 };

static bool is_kept(const char *answer, unsigned long id)
{
	const char *ok = strstr(answer, "Kok "), *qp = strstr(answer, " qp ");

	return ok != NULL && qp != NULL && strtoul(qp + 4, NULL, 10) == id;
}

/* ---- what it takes ------------------------------------------------------------------------------------- */

static void test_message(void)
{
	char want[256];
	int fd;

	start((struct intake_options){ 0 });
	fd = dial();
	tap_ok(tell(fd, whole, WHOLE), "a message");
	tap_ok(count == 1 && messages[0].state == FINISHED && intake_unanswered(in) == 1,
		"is handed to the store");
	tap_ok(messages[0].envelope_len == 7 && memcmp(messages[0].envelope, "Fs\0Tr\0", 7) == 0,
		"its envelope");
	tap_ok(messages[0].from.uid == getuid() && messages[0].from.pid == getpid(), "who handed it in");
	snprintf(want, sizeof want, "Received: (qmail %ld invoked by uid %lu); ", (long)getpid(),
		(unsigned long)getuid());
	messages[0].text[messages[0].len] = '\0';
	tap_ok(strncmp(messages[0].text, want, strlen(want)) == 0, "the line of qmail-queue comes first");
	tap_ok(strcmp(messages[0].text + messages[0].len - 11, " -0000\nabc\n") == 0, "then the message");
	tap_same(hear(fd), "", "no answer before it is kept");
	intake_kept(messages[0].owner, 4711);
	tap_ok(intake_timeout_ms(in) == 0, "an answer waits");
	intake_flush(in);
	tap_ok(is_kept(hear(fd), 4711) && intake_unanswered(in) == 0, "K, with the number");
	for (size_t i = 0; i < WHOLE; i++)
		if (!tell(fd, whole + i, 1))
			tap_ok(false, "byte by byte");
	tap_ok(count == 2 && messages[1].state == FINISHED && messages[1].len == messages[0].len,
		"the same, byte by byte, on the same connection");
	intake_kept(messages[1].owner, UINT64_MAX);
	turn();
	tap_ok(is_kept(hear(fd), UINT64_MAX), "the largest number");
	close(fd);
	stop();
}

static void test_order(void)
{
	static const char three[] = "2:Ma,8:EFs\0Tr\0\0,2:Mb,8:EFs\0Tr\0\0,8:EFs\0Tr\0\0,";
	const char *text;
	int fd;

	start((struct intake_options){ 0 });
	fd = dial();
	tap_ok(tell(fd, three, sizeof three - 1) && count == 3, "three messages in one piece");
	intake_kept(messages[2].owner, 3);
	intake_lost(NULL, messages[1].owner, EIO);
	turn();
	tap_same(hear(fd), "", "the first is not kept yet: no answer");
	intake_kept(messages[0].owner, 1);
	turn();
	text = hear(fd);
	tap_ok(is_kept(text, 1) && strstr(text, ":Zqq write error or disk full (#4.3.0),") != NULL &&
			strstr(text, " qp 3,") != NULL,
		"all answers, in the order of the messages");
	close(fd);
	stop();
}

static void test_void(void)
{
	static const char voided[] = "2:Ma,1:A,1:A,2:Mb,8:EFs\0Tr\0\0,";
	int fd;

	start((struct intake_options){ 0 });
	fd = dial();
	tap_ok(tell(fd, voided, sizeof voided - 1) && count == 2 && messages[0].state == ABANDONED &&
			messages[1].state == FINISHED && messages[1].text[messages[1].len - 1] == 'b',
		"A makes void what came before it, and has no answer");
	intake_kept(messages[1].owner, 2);
	turn();
	tap_ok(is_kept(hear(fd), 2), "the next one is answered");
	tap_ok(tell(fd, "9:Mabc", 6) && count == 3, "a part of a message");
	close(fd);
	turn();
	tap_ok(messages[2].state == ABANDONED, "who closes then has handed in nothing");
	fd = dial();
	tap_ok(tell(fd, whole, WHOLE) && tell(fd, "2:Mx,", 5), "a whole one and a part");
	close(fd);
	turn();
	tap_ok(messages[3].state == FINISHED && messages[4].state == ABANDONED, "the whole one is taken");
	intake_kept(messages[3].owner, 3);
	turn();
	tap_ok(intake_unanswered(in) == 0, "although nobody hears the answer");
	fd = dial();
	tap_ok(tell(fd, whole, WHOLE) && shutdown(fd, SHUT_WR) == 0, "who has no more to say");
	turn();
	intake_kept(messages[5].owner, 4);
	turn();
	tap_ok(is_kept(hear(fd), 4) && strchr(hear(fd), '$') != NULL, "may still hear the answer");
	close(fd);
	stop();
}

/* ---- what it refuses ----------------------------------------------------------------------------------- */

static void refused(int fd, const char *bytes, size_t n, const char *want, const char *name)
{
	char frame[128];

	tell(fd, bytes, n);
	snprintf(frame, sizeof frame, "%zu:%s,", strlen(want), want);
	tap_same(hear(fd), frame, name);
}

#define REFUSED(fd, bytes, want, name) refused(fd, bytes, sizeof(bytes) - 1, want, name)

static void test_refused(void)
{
	static char address[1100];
	int fd, n;

	start((struct intake_options){ 0 });
	fd = dial();
	REFUSED(fd, "2:Ma,6:EFs\0Tr,", "Zqq read error (#4.3.0)", "an envelope that is cut");
	REFUSED(fd, "2:Ma,1:E,", "Zqq read error (#4.3.0)", "an empty one");
	REFUSED(fd, "2:Ma,8:EFs\0Xr\0\0,", "Zqq internal bug (#4.3.0)", "an unknown letter in it");
	REFUSED(fd, "2:Ma,9:EFs\0Tr\0\0x,", "Zqq internal bug (#4.3.0)", "more behind it");
	n = snprintf(address, sizeof address, "1007:EF%01003d", 0);
	address[n] = address[n + 1] = '\0';
	address[n + 2] = ',';
	refused(fd, address, (size_t)n + 3, "Denvelope address too long for qq (#5.1.3)", "a long address");
	begin_error = ENOSPC;
	REFUSED(fd, "2:Ma,2:Mb,8:EFs\0Tr\0\0,", "Zqueue is full (#4.3.1)", "no room");
	begin_error = 0;
	write_error = EMSGSIZE;
	REFUSED(fd, "2:Ma,2:Mb,8:EFs\0Tr\0\0,", "Dmessage is larger than this queue takes (#5.3.4)",
		"a message that is too large");
	write_error = 0;
	for (unsigned i = 0; i < count; i++)
		if (messages[i].state != ABANDONED)
			tap_ok(false, "none of them is in the store");
	tap_ok(tell(fd, whole, WHOLE) && messages[count - 1].state == FINISHED, "the connection goes on");
	intake_lost(NULL, messages[count - 1].owner, ENOMEM);
	turn();
	tap_same(hear(fd), "26:Zqq out of memory (#4.3.0),", "lost by the store");
	close(fd);
	stop();
}

static void test_frames(void)
{
	const char *text;
	int fd;

	start((struct intake_options){ 0 });
	fd = dial();
	tap_ok(tell(fd, whole, WHOLE) && tell(fd, "2:Ma,EHLO x\r\n", 13), "what is no frame");
	tap_same(hear(fd), "", "waits for its turn");
	intake_kept(messages[0].owner, 7);
	turn();
	text = hear(fd);
	tap_ok(is_kept(text, 7) &&
			strstr(text, ",47:Zthis is not the protocol of the queue (#4.3.0),$") != NULL,
		"the answer before it, its own, and the end");
	close(fd);
	fd = dial();
	tap_ok(tell(fd, "2:Ma,EHLO x\r\n", 13), "what is no frame");
	tap_same(hear(fd), "47:Zthis is not the protocol of the queue (#4.3.0),$",
		"is answered, and the end");
	close(fd);
	turn();
	tap_ok(messages[1].state == ABANDONED, "nothing of it is kept");
	stop();
}

static void test_waits(void)
{
	static char many[100 * WHOLE], piece[200000];
	const char *text;
	unsigned answers = 0;
	int fd;

	start((struct intake_options){ 0 });
	fd = dial();
	for (size_t i = 0; i < 100; i++)
		memcpy(many + i * WHOLE, whole, WHOLE);
	tap_ok(tell(fd, many, sizeof many) && count == 64, "64 messages are taken, more must wait");
	for (unsigned i = 0; i < 64; i++)
		intake_kept(messages[i].owner, i + 1);
	turn();
	tap_ok(count == 100, "until those are answered");
	for (unsigned i = 64; i < 100; i++)
		intake_kept(messages[i].owner, i + 1);
	turn();
	text = hear(fd);
	for (const char *at = text; (at = strstr(at, " qp ")) != NULL; at++)
		if (strtoul(at + 4, NULL, 10) == answers + 1)
			answers++;
	tap_ok(answers == 100, "a hundred answers");
	close(fd);
	turn();

	store_forget();
	fd = dial();
	memset(piece, 'x', sizeof piece);
	is_busy = true;
	tap_ok(tell(fd, "200001:M", 8) && tell(fd, piece, 100000), "a store that is busy");
	tap_ok(count == 1 && messages[0].len < 100, "is not written to");
	is_busy = false;
	intake_ready(NULL, messages[0].owner);
	turn();
	tap_ok(messages[0].len > 100000, "until it is ready");
	tap_ok(tell(fd, piece, 100000) && tell(fd, ",8:EFs\0Tr\0\0,", 12) && messages[0].state == FINISHED,
		"then it is whole");
	intake_kept(messages[0].owner, 1);
	turn();
	is_busy = true;
	tap_ok(tell(fd, "200001:Mabc", 11) && count == 2, "busy again");
	close(fd);
	turn();
	tap_ok(messages[1].state == ABANDONED, "and the peer hangs up");
	stop();
}

/* ---- who may ------------------------------------------------------------------------------------------- */

static void test_places(void)
{
	int fd[5];

	start((struct intake_options){ .connections = 4 });
	for (int i = 0; i < 3; i++) {
		fd[i] = dial();
		turn();
	}
	tap_same(hear(fd[0]), "", "of four places");
	tap_same(hear(fd[1]), "", "one user has two");
	tap_same(hear(fd[2]), "43:Ztoo many connections to the queue (#4.3.2),$", "and no third");
	tap_ok(strstr(said, "too many connections") != NULL, "the log is told");
	close(fd[0]);
	turn();
	fd[3] = dial();
	tap_ok(tell(fd[3], whole, WHOLE) && count == 1, "until it gives one back");
	close(fd[1]);
	close(fd[2]);
	close(fd[3]);
	turn();
	intake_kept(messages[0].owner, 1);
	turn();
	stop();
}

static void test_users(void)
{
	char names[] = "nosuchuser\0004294967000", mine[32];
	struct control_list list = { .items = names, .bytes = sizeof names };
	int fd;

	start((struct intake_options){ .users = &list });
	tap_ok(strstr(said, "queueusers: nosuchuser: ") != NULL, "a name that nobody has is told");
	fd = dial();
	turn();
	tap_same(hear(fd), "40:Zthis user may not hand in mail (#4.7.1),$", "others may not");
	close(fd);
	list = (struct control_list){ .items = mine,
		.bytes = (size_t)snprintf(mine, sizeof mine, "%lu", (unsigned long)getuid()) + 1 };
	intake_allow(in, &list);
	fd = dial();
	tap_ok(tell(fd, whole, WHOLE) && count == 1, "who is named may");
	close(fd);
	intake_allow(in, NULL);
	fd = dial();
	tap_ok(tell(fd, whole, WHOLE) && count == 2, "without a list, everybody");
	close(fd);
	stop();
}

static void test_stalls(void)
{
	int idle, within, deaf;

	start((struct intake_options){ .stall_ms = 100 });
	idle = dial();
	within = dial();
	tap_ok(tell(within, "9:Mabc", 6), "in mid-message");
	usleep(150 * 1000);
	turn();
	tap_ok(hear(within)[0] == '$' && messages[0].state == ABANDONED, "who stalls there is closed");
	tap_ok(strstr(said, "does not go on") != NULL, "and the log is told");
	tap_same(hear(idle), "", "who is silent between messages is not");
	close(within);
	deaf = dial();
	tap_ok(tell(deaf, whole, WHOLE), "who waits for the store");
	usleep(150 * 1000);
	turn();
	tap_same(hear(deaf), "", "does not stall");
	intake_kept(messages[1].owner, 1);
	turn();
	close(deaf);
	close(idle);
	stop();
}

/* ---- the socket ---------------------------------------------------------------------------------------- */

static void test_socket(void)
{
	char why[256];
	struct stat st;
	int fd;

	start((struct intake_options){ .mode = 0620 });
	tap_ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0620, "the mode of the socket");
	tap_ok(open_intake((struct intake_options){ 0 }, why) == NULL &&
			strstr(why, "Address already in use"),
		"it is somebody's");
	fd = dial();
	tap_ok(tell(fd, whole, WHOLE) && tell(fd, "2:Mx,", 5), "a message, and a part");
	intake_stop(in);
	tap_ok(access(path, F_OK) == -1 && messages[1].state == ABANDONED,
		"stop: no socket, and the part is void");
	tap_ok(intake_unanswered(in) == 1, "one answer is due");
	intake_kept(messages[0].owner, 5);
	turn();
	tap_ok(is_kept(hear(fd), 5) && strchr(hear(fd), '$') != NULL, "and is given, then the end");
	close(fd);
	intake_close(in);
	store_forget();

	start((struct intake_options){ 0 });
	intake_close(in); /* as if it had died: the socket stays */
	tap_ok(access(path, F_OK) == 0, "a socket that was left");
	start((struct intake_options){ 0 });
	tap_ok(in != NULL, "is taken away");
	stop();
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	tap_ok(open_intake((struct intake_options){ 0 }, why) == NULL && access(path, F_OK) == 0,
		"a file that is no socket is not");
	unlink(path);
}

int main(void)
{
	char folder[] = "/tmp/intake_test.XXXXXX";

	if (mkdtemp(folder) == NULL || chdir(folder) == -1)
		return 1;
	test_message();
	test_order();
	test_void();
	test_refused();
	test_frames();
	test_waits();
	test_places();
	test_users();
	test_stalls();
	test_socket();
	rmdir(folder);
	return tap_end();
}
