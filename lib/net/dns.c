#include "net/dns.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/str.h"

/* One second, then two, then four: the deadlines of our callers are about 5 s. */
enum { FIRST_WAIT_MS = 1000, TRIES = 4, SERVERS_TEXT = 512, ADDRESSES = 64 };

struct question {
	struct question *next;
	struct dns *dns;
	struct addr addr;
	int64_t deadline_ms;
	dns_done *done; /* NULL: it has ended for its caller; the resolver still owes us its call */
	void *arg;
	bool asking; /* inside the asking call, where the resolver may fail at once */
	bool early;  /* it did: dns_step says so */
	enum dns_result result;
};

struct dns {
	ares_channel channel;
	struct question *open;
};

/* ---- the life of a question ----------------------------------------------------------------------- */

static struct question *question_new(
	struct dns *d, const struct addr *a, int64_t deadline_ms, dns_done *done, void *arg)
{
	struct question *q = calloc(1, sizeof *q);

	if (q == NULL)
		return NULL;
	q->asking = true;
	q->addr = *a;
	q->deadline_ms = deadline_ms;
	q->done = done;
	q->arg = arg;
	q->dns = d;
	q->next = d->open;
	d->open = q;
	return q;
}

static void question_end(struct question *q, enum dns_result result, const char *name)
{
	dns_done *done = q->done;

	q->done = NULL;
	if (done != NULL)
		done(q->arg, result, name);
}

static void question_free(struct question *q)
{
	struct question **link = &q->dns->open; /* there are never more than clients who wait */

	while (*link != q)
		link = &(*link)->next;
	*link = q->next;
	free(q);
}

static enum dns_result result_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return DNS_FOUND;
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
	case ARES_EBADNAME: /* an answer that is no name will be none tomorrow, too */
		return DNS_NONE;
	default:
		return DNS_TEMPORARY;
	}
}

/* The resolver's call: its last word on this question. */
static void question_answer(struct question *q, int status, const char *name)
{
	if (q->asking) {
		q->early = true;
		q->result = result_of(status);
		return;
	}
	question_end(q, result_of(status), name);
	question_free(q);
}

/* ---- answers -------------------------------------------------------------------------------------- */

static bool clean_name(const char *from, char to[DNS_NAME])
{
	size_t n = strlen(from);

	if (n > 1 && from[n - 1] == '.')
		n--;
	if (n == 0 || n >= DNS_NAME)
		return false;
	for (size_t i = 0; i < n; i++) {
		const char c = from[i];

		if (c < 0x21 || c > 0x7e)
			return false;
		to[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	to[n] = '\0';
	return true;
}

static void on_ptr(void *arg, int status, int timeouts, unsigned char *reply, int size)
{
	struct question *q = arg;
	const bool v4 = addr_is_v4(&q->addr);
	const unsigned char *address = v4 ? q->addr.byte + 12 : q->addr.byte;
	struct hostent *host = NULL;
	char name[DNS_NAME];

	(void)timeouts;
	if (status == ARES_SUCCESS)
		status = ares_parse_ptr_reply(
			reply, size, address, v4 ? 4 : 16, v4 ? AF_INET : AF_INET6, &host);
	if (status == ARES_SUCCESS) {
		/* the first of several names: h_name is the last one */
		const char *first = host->h_aliases != NULL && host->h_aliases[0] != NULL
					    ? host->h_aliases[0]
					    : host->h_name;

		if (!clean_name(first, name))
			status = ARES_EBADNAME;
	}
	if (host != NULL)
		ares_free_hostent(host);
	question_answer(q, status, status == ARES_SUCCESS ? name : NULL);
}

static bool has_v4(const struct addr *a, const unsigned char *reply, int size, int *status)
{
	struct ares_addrttl list[ADDRESSES];
	int n = ADDRESSES;

	*status = ares_parse_a_reply(reply, size, NULL, list, &n);
	for (int i = 0; *status == ARES_SUCCESS && i < n; i++)
		if (memcmp(&list[i].ipaddr, a->byte + 12, 4) == 0)
			return true;
	return false;
}

static bool has_v6(const struct addr *a, const unsigned char *reply, int size, int *status)
{
	struct ares_addr6ttl list[ADDRESSES];
	int n = ADDRESSES;

	*status = ares_parse_aaaa_reply(reply, size, NULL, list, &n);
	for (int i = 0; *status == ARES_SUCCESS && i < n; i++)
		if (memcmp(&list[i].ip6addr, a->byte, 16) == 0)
			return true;
	return false;
}

static void on_addresses(void *arg, int status, int timeouts, unsigned char *reply, int size)
{
	struct question *q = arg;
	bool found = false;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		found = addr_is_v4(&q->addr) ? has_v4(&q->addr, reply, size, &status)
					     : has_v6(&q->addr, reply, size, &status);
	if (status == ARES_SUCCESS && !found)
		status = ARES_ENODATA;
	question_answer(q, status, NULL);
}

/* ---- asking --------------------------------------------------------------------------------------- */

int dns_ptr(struct dns *d, const struct addr *a, int64_t deadline_ms, dns_done *done, void *arg)
{
	struct question *q = question_new(d, a, deadline_ms, done, arg);
	char name[ADDR_ARPA];

	if (q == NULL)
		return -1;
	addr_arpa(a, name);
	ares_query(d->channel, name, ns_c_in, ns_t_ptr, on_ptr, q);
	q->asking = false;
	return 0;
}

int dns_confirm(struct dns *d, const char *name, const struct addr *a, int64_t deadline_ms, dns_done *done,
	void *arg)
{
	struct question *q = question_new(d, a, deadline_ms, done, arg);

	if (q == NULL)
		return -1;
	ares_query(d->channel, name, ns_c_in, addr_is_v4(a) ? ns_t_a : ns_t_aaaa, on_addresses, q);
	q->asking = false;
	return 0;
}

/* ---- the poll loop's side ------------------------------------------------------------------------- */

size_t dns_poll(struct dns *d, struct pollfd fds[DNS_POLL])
{
	ares_socket_t sockets[DNS_POLL];
	const int ready = ares_getsock(d->channel, sockets, DNS_POLL);
	const unsigned bits = (unsigned)ready;
	size_t count = 0;

	for (unsigned i = 0; i < DNS_POLL; i++) {
		const bool in = (bits & (1U << i)) != 0;
		const bool out = (bits & (1U << (i + ARES_GETSOCK_MAXNUM))) != 0;

		if (!in && !out)
			continue;
		fds[count].fd = sockets[i];
		fds[count].events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));
		fds[count].revents = 0;
		count++;
	}
	return count;
}

int64_t dns_deadline(struct dns *d)
{
	struct timeval memory;
	const struct timeval *wait;
	int64_t earliest = CLOCK_NEVER;

	if (d->open == NULL)
		return CLOCK_NEVER;
	wait = ares_timeout(d->channel, NULL, &memory);
	if (wait != NULL)
		earliest = clock_ms() + (int64_t)wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1;
	for (const struct question *q = d->open; q != NULL; q = q->next)
		if (q->early)
			return 0;
		else if (q->done != NULL && q->deadline_ms < earliest)
			earliest = q->deadline_ms;
	return earliest;
}

/* One question that failed at once or is past its deadline; false when there is none. */
static bool end_one(struct dns *d, int64_t now)
{
	for (struct question **link = &d->open; *link != NULL; link = &(*link)->next) {
		struct question *q = *link;

		if (q->early) {
			*link = q->next;
			question_end(q, q->result, NULL);
			free(q);
			return true;
		}
		if (q->done != NULL && q->deadline_ms <= now) {
			question_end(q, DNS_TEMPORARY, NULL);
			return true;
		}
	}
	return false;
}

void dns_step(struct dns *d, const struct pollfd *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const bool in = (fds[i].revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) != 0;
		const bool out = (fds[i].revents & POLLOUT) != 0;

		if (in || out)
			ares_process_fd(d->channel, in ? fds[i].fd : ARES_SOCKET_BAD,
				out ? fds[i].fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what is to be sent again */
	/* from the front each time: done may ask again, which changes the list */
	while (end_one(d, clock_ms()))
		;
}

/* ---- opening -------------------------------------------------------------------------------------- */

static int error_of(int status)
{
	return status == ARES_ENOMEM ? ENOMEM : status == ARES_EFILE ? EIO : EINVAL;
}

static int use_servers(ares_channel channel, const char *list)
{
	char memory[SERVERS_TEXT];
	struct str csv;

	str_init(&csv, memory, sizeof memory);
	while (*(list += strspn(list, ", \t\n")) != '\0') {
		const size_t n = strcspn(list, ", \t\n");

		if (csv.len > 0)
			str_putc(&csv, ',');
		str_put(&csv, list, n);
		list += n;
	}
	if (csv.full || csv.len == 0)
		return ARES_EBADSTR;
	return ares_set_servers_ports_csv(channel, csv.s);
}

struct dns *dns_open(void)
{
	struct ares_options options = { .timeout = FIRST_WAIT_MS, .tries = TRIES };
	const char *servers = getenv("DNSCACHEIP");
	struct dns *d = calloc(1, sizeof *d);
	int status;

	if (d == NULL)
		return NULL;
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS)
		status = ares_init_options(&d->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (status != ARES_SUCCESS) {
		free(d);
		errno = error_of(status);
		return NULL;
	}
	if (servers != NULL && *servers != '\0' && use_servers(d->channel, servers) != ARES_SUCCESS) {
		dns_close(d);
		errno = EINVAL;
		return NULL;
	}
	return d;
}

void dns_close(struct dns *d)
{
	if (d == NULL)
		return;
	for (struct question *q = d->open; q != NULL; q = q->next)
		q->done = NULL;
	ares_destroy(d->channel); /* calls back for what is open, which frees it */
	while (d->open != NULL) { /* what had failed at once */
		struct question *q = d->open;

		d->open = q->next;
		free(q);
	}
	ares_library_cleanup();
	free(d);
}
