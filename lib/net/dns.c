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
enum { FIRST_WAIT_MS = 1000, TRIES = 4, SERVERS_TEXT = 512 };

struct question {
	struct question *next;
	struct dns *dns;
	int64_t deadline_ms;
	bool open;   /* false: it has ended for its caller; the resolver still owes us its call */
	bool asking; /* inside the asking call, where the resolver may answer at once */
	bool early;  /* it did: dns_step says so */
	dns_done *done;
	dns_addresses *addresses; /* instead of done */
	dns_end *end;             /* instead of done, after each */
	dns_each *each;
	enum dns_type type;
	unsigned char *reply; /* that is read: for each it is kept until then */
	int reply_size;
	bool no_name; /* told from no record */
	void *arg;
	struct addr addr; /* whose name is asked for, or who is to be among the addresses */
	enum dns_result result;
	bool has_text;
	char text[DNS_TEXT];
	struct addr list[DNS_ADDRESSES];
	size_t count;
};

struct dns {
	ares_channel channel;
	struct question *open;
};

/* ---- the life of a question ----------------------------------------------------------------------- */

static struct question *question_new(struct dns *d, int64_t deadline_ms, void *arg)
{
	struct question *q = calloc(1, sizeof *q);

	if (q == NULL)
		return NULL;
	q->open = true;
	q->asking = true;
	q->deadline_ms = deadline_ms;
	q->arg = arg;
	q->dns = d;
	q->next = d->open;
	d->open = q;
	return q;
}

static enum dns_result give_records(struct question *q);

static void question_end(struct question *q, enum dns_result result)
{
	const bool found = result == DNS_FOUND;

	if (!q->open)
		return;
	q->open = false;
	if (q->end != NULL)
		q->end(q->arg, found                              ? give_records(q)
			       : q->no_name && result == DNS_NONE ? DNS_NO_NAME
								  : result);
	else if (q->addresses != NULL)
		q->addresses(q->arg, result, q->list, found ? q->count : 0);
	else
		q->done(q->arg, result, found && q->has_text ? q->text : NULL);
}

static void question_free(struct question *q)
{
	struct question **link = &q->dns->open; /* there are never more than clients who wait */

	while (*link != q)
		link = &(*link)->next;
	*link = q->next;
	free(q->reply);
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

/* The resolver's call: its last word on this question. What was found is in q. */
static void question_answer(struct question *q, int status)
{
	q->result = result_of(status);
	if (q->asking) {
		q->early = true;
		return;
	}
	question_end(q, q->result);
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

	(void)timeouts;
	if (status == ARES_SUCCESS)
		status = ares_parse_ptr_reply(
			reply, size, address, v4 ? 4 : 16, v4 ? AF_INET : AF_INET6, &host);
	if (status == ARES_SUCCESS) {
		/* the first of several names: h_name is the last one */
		const char *first = host->h_aliases != NULL && host->h_aliases[0] != NULL
					    ? host->h_aliases[0]
					    : host->h_name;

		q->has_text = clean_name(first, q->text);
		if (!q->has_text)
			status = ARES_EBADNAME;
	}
	if (host != NULL)
		ares_free_hostent(host);
	question_answer(q, status);
}

/* Four bytes or sixteen; more than DNS_ADDRESSES are left out. */
static void put_address(struct question *q, const void *data, size_t n)
{
	struct addr *a = &q->list[q->count];

	if (q->count == DNS_ADDRESSES)
		return;
	memset(a->byte, 0, sizeof a->byte - n);
	if (n == 4)
		memset(a->byte + 10, 0xff, 2);
	memcpy(a->byte + sizeof a->byte - n, data, n);
	q->count++;
}

/* Is what dns_confirm asks for in the list? */
static bool is_confirmed(const struct question *q)
{
	for (size_t i = 0; i < q->count; i++)
		if (addr_equal(&q->list[i], &q->addr))
			return true;
	return false;
}

static void addresses_answer(struct question *q, int status)
{
	if (status == ARES_SUCCESS && q->addresses == NULL && !is_confirmed(q))
		status = ARES_ENODATA;
	if (status == ARES_SUCCESS && q->count == 0)
		status = ARES_ENODATA;
	question_answer(q, status);
}

static void put_text(struct question *q, const struct ares_txt_ext *part)
{
	size_t used = strlen(q->text);

	for (size_t i = 0; i < part->length && used < DNS_TEXT - 1; i++) {
		const unsigned char c = part->txt[i];

		q->text[used++] = c >= 0x20 && c <= 0x7e ? (char)c : '?';
	}
	q->text[used] = '\0';
}

static void on_txt(void *arg, int status, int timeouts, unsigned char *reply, int size)
{
	struct question *q = arg;
	struct ares_txt_ext *list = NULL;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		status = ares_parse_txt_reply_ext(reply, size, &list);
	for (const struct ares_txt_ext *part = list; part != NULL; part = part->next)
		put_text(q, part);
	q->has_text = true;
	if (list != NULL)
		ares_free_data(list);
	question_answer(q, status);
}

/* ---- records of any type ----------------------------------------------------------------------------- */

static void give(struct question *q, const void *data, size_t n)
{
	const struct dns_record r = { .data = data, .n = n };

	if (q->each != NULL)
		q->each(q->arg, &r);
	else
		put_address(q, data, n);
}

static void give_name(const struct question *q, const char *name, unsigned preference)
{
	char clean[DNS_NAME];
	struct dns_record r = { .data = clean, .preference = preference };

	/* a backslash is the resolver's: what it stands for is no byte of a host's name */
	if (strchr(name, '\\') == NULL && clean_name(name, clean) && strcmp(clean, ".") != 0)
		r.n = strlen(clean);
	q->each(q->arg, &r);
}

static int give_v4(struct question *q)
{
	int n = q->reply_size / 16 + 1; /* no record is shorter */
	struct ares_addrttl *list = calloc((size_t)n, sizeof *list);
	int status = ARES_ENOMEM;

	if (list != NULL)
		status = ares_parse_a_reply(q->reply, q->reply_size, NULL, list, &n);
	for (int i = 0; status == ARES_SUCCESS && i < n; i++)
		give(q, &list[i].ipaddr, 4);
	free(list);
	return status == ARES_SUCCESS && n == 0 ? ARES_ENODATA : status;
}

static int give_v6(struct question *q)
{
	int n = q->reply_size / 28 + 1;
	struct ares_addr6ttl *list = calloc((size_t)n, sizeof *list);
	int status = ARES_ENOMEM;

	if (list != NULL)
		status = ares_parse_aaaa_reply(q->reply, q->reply_size, NULL, list, &n);
	for (int i = 0; status == ARES_SUCCESS && i < n; i++)
		give(q, &list[i].ip6addr, 16);
	free(list);
	return status == ARES_SUCCESS && n == 0 ? ARES_ENODATA : status;
}

static int give_exchangers(struct question *q)
{
	struct ares_mx_reply *list = NULL;
	const int status = ares_parse_mx_reply(q->reply, q->reply_size, &list);

	for (const struct ares_mx_reply *mx = list; mx != NULL; mx = mx->next)
		give_name(q, mx->host, mx->priority);
	if (list != NULL)
		ares_free_data(list);
	return status == ARES_SUCCESS && list == NULL ? ARES_ENODATA : status;
}

static int give_names(struct question *q)
{
	static const unsigned char nobody[4];
	struct hostent *host = NULL;
	const int status = ares_parse_ptr_reply(q->reply, q->reply_size, nobody, 4, AF_INET, &host);

	if (host == NULL)
		return status;
	for (char **name = host->h_aliases; *name != NULL; name++)
		give_name(q, *name, 0);
	ares_free_hostent(host);
	return status;
}

/* A record's strings, which come one by one, as one piece. Returns what follows them. */
static const struct ares_txt_ext *give_text(
	struct question *q, const struct ares_txt_ext *part, unsigned char *joined)
{
	size_t n = 0;

	do {
		memcpy(joined + n, part->txt, part->length);
		n += part->length;
		part = part->next;
	} while (part != NULL && !part->record_start);
	give(q, joined, n);
	return part;
}

static int give_texts(struct question *q)
{
	struct ares_txt_ext *list = NULL;
	unsigned char *joined =
		malloc((size_t)q->reply_size + 1); /* no text is longer than what it came in */
	const int status =
		joined == NULL ? ARES_ENOMEM : ares_parse_txt_reply_ext(q->reply, q->reply_size, &list);

	for (const struct ares_txt_ext *part = list; part != NULL;)
		part = give_text(q, part, joined);
	free(joined);
	if (list == NULL)
		return status == ARES_SUCCESS ? ARES_ENODATA : status;
	ares_free_data(list);
	return status;
}

static int read_records(struct question *q)
{
	static int (*const readers[])(struct question * q) = { [DNS_A] = give_v4,
		[DNS_AAAA] = give_v6,
		[DNS_MX] = give_exchangers,
		[DNS_PTR] = give_names,
		[DNS_TXT] = give_texts };

	return readers[q->type](q);
}

static enum dns_result give_records(struct question *q)
{
	return result_of(read_records(q));
}

static void on_addresses(void *arg, int status, int timeouts, unsigned char *reply, int size)
{
	struct question *q = arg;

	(void)timeouts;
	q->reply = reply;
	q->reply_size = size;
	if (status == ARES_SUCCESS)
		status = read_records(q);
	q->reply = NULL; /* the resolver's */
	addresses_answer(q, status);
}

static void on_records(void *arg, int status, int timeouts, unsigned char *reply, int size)
{
	struct question *q = arg;

	(void)timeouts;
	if (status == ARES_SUCCESS && q->open) {
		q->reply = malloc((size_t)size);
		q->reply_size = size;
		if (q->reply == NULL)
			status = ARES_ENOMEM;
		else
			memcpy(q->reply, reply, (size_t)size);
	}
	q->no_name = status == ARES_ENOTFOUND;
	question_answer(q, status);
}

/* ---- asking --------------------------------------------------------------------------------------- */

static int ask(struct question *q, const char *name, int type, ares_callback answer)
{
	ares_query(q->dns->channel, name, ns_c_in, type, answer, q);
	q->asking = false;
	return 0;
}

int dns_ptr(struct dns *d, const struct addr *a, int64_t deadline_ms, dns_done *done, void *arg)
{
	struct question *q = question_new(d, deadline_ms, arg);
	char name[ADDR_ARPA];

	if (q == NULL)
		return -1;
	q->done = done;
	q->addr = *a;
	addr_arpa(a, name);
	return ask(q, name, ns_t_ptr, on_ptr);
}

static int ask_addresses(struct question *q, const char *name, enum dns_type type)
{
	q->type = type;
	return ask(q, name, type == DNS_A ? ns_t_a : ns_t_aaaa, on_addresses);
}

int dns_confirm(struct dns *d, const char *name, const struct addr *a, int64_t deadline_ms, dns_done *done,
	void *arg)
{
	struct question *q = question_new(d, deadline_ms, arg);

	if (q == NULL)
		return -1;
	q->done = done;
	q->addr = *a;
	return ask_addresses(q, name, addr_is_v4(a) ? DNS_A : DNS_AAAA);
}

int dns_txt(struct dns *d, const char *name, int64_t deadline_ms, dns_done *done, void *arg)
{
	struct question *q = question_new(d, deadline_ms, arg);

	if (q == NULL)
		return -1;
	q->done = done;
	return ask(q, name, ns_t_txt, on_txt);
}

int dns_a(struct dns *d, const char *name, int64_t deadline_ms, dns_addresses *done, void *arg)
{
	struct question *q = question_new(d, deadline_ms, arg);

	if (q == NULL)
		return -1;
	q->addresses = done;
	return ask_addresses(q, name, DNS_A);
}

int dns_aaaa(struct dns *d, const char *name, int64_t deadline_ms, dns_addresses *done, void *arg)
{
	struct question *q = question_new(d, deadline_ms, arg);

	if (q == NULL)
		return -1;
	q->addresses = done;
	return ask_addresses(q, name, DNS_AAAA);
}

/* In the resolver's words a backslash takes the meaning from the byte behind it. */
static void escape(const char *name, struct str *to)
{
	for (; *name != '\0'; name++) {
		if (*name == '\\')
			str_putc(to, '\\');
		str_putc(to, *name);
	}
}

int dns_records(struct dns *d, enum dns_type type, const char *name, int64_t deadline_ms, dns_each *each,
	dns_end *end, void *arg)
{
	static const int types[] = { [DNS_A] = ns_t_a,
		[DNS_AAAA] = ns_t_aaaa,
		[DNS_MX] = ns_t_mx,
		[DNS_PTR] = ns_t_ptr,
		[DNS_TXT] = ns_t_txt };
	struct question *q = question_new(d, deadline_ms, arg);
	char memory[2 * DNS_NAME];
	struct str escaped;

	if (q == NULL)
		return -1;
	q->end = end;
	q->each = each;
	q->type = type;
	str_init(&escaped, memory, sizeof memory);
	escape(name, &escaped);
	return ask(q, escaped.full ? ".." : escaped.s, types[type], on_records);
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
		else if (q->open && q->deadline_ms < earliest)
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
			question_end(q, q->result);
			free(q->reply);
			free(q);
			return true;
		}
		if (q->open && q->deadline_ms <= now) {
			question_end(q, DNS_TEMPORARY);
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
		q->open = false;
	ares_destroy(d->channel); /* calls back for what is open, which frees it */
	while (d->open != NULL) { /* what had failed at once */
		struct question *q = d->open;

		d->open = q->next;
		free(q->reply);
		free(q);
	}
	ares_library_cleanup();
	free(d);
}
