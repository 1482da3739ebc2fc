/* Questions that end in every way at once: a name that cannot be asked, a deadline, the end of it all; then
 * answers, good ones and damaged ones: the resolver library reads them, this is about what we make of what it
 * says. What is wrong with the list of open questions shows under SANITIZE=1. */
#include "net/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/tap.h"

static int ended;
static enum dns_result last;

static void on_end(void *arg, enum dns_result result, const char *name)
{
	(void)arg;
	(void)name;
	ended++;
	last = result;
}

/* A name server that never answers: DNSCACHEIP names it. */
static int silent_server(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	char text[64];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&at, size) == -1 ||
		getsockname(fd, (struct sockaddr *)&at, &size) == -1)
		return -1;
	snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	return setenv("DNSCACHEIP", text, 1) == -1 ? -1 : fd;
}

/* ---- a name server in this process: one answer for each question --------------------------------- */

enum { PACKET = 2048, DAMAGED = 3000 };

static unsigned char answer[PACKET]; /* of the whole packet, what follows the question */
static size_t answer_len;
static unsigned answer_records;

static unsigned seed = 20261124;

static unsigned dice(unsigned sides)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % sides;
}

static void put_record(unsigned type, const void *data, size_t n)
{
	const unsigned char head[] = { 0xc0, 12, (unsigned char)(type >> 8), (unsigned char)type, 0, 1, 0,
		0, 0, 60, (unsigned char)(n >> 8), (unsigned char)n };

	memcpy(answer + answer_len, head, sizeof head);
	memcpy(answer + answer_len + sizeof head, data, n);
	answer_len += sizeof head + n;
	answer_records++;
}

static void clear_answer(void)
{
	answer_len = 0;
	answer_records = 0;
}

/* Turns the question in packet into its answer; code is the response code. */
static size_t reply(unsigned char *packet, size_t n, unsigned code)
{
	packet[2] = 0x81;
	packet[3] = (unsigned char)(0x80 | code);
	packet[6] = (unsigned char)(answer_records >> 8);
	packet[7] = (unsigned char)answer_records;
	memset(packet + 8, 0, 4);
	memcpy(packet + n, answer, answer_len);
	return n + answer_len;
}

/* The one question that lies at the server. */
static void serve(int server, unsigned code)
{
	struct sockaddr_storage from;
	socklen_t size = sizeof from;
	unsigned char packet[2 * PACKET];
	ssize_t n = recvfrom(server, packet, 512, 0, (struct sockaddr *)&from, &size);

	if (n < 12)
		return;
	n = sendto(server, packet, reply(packet, (size_t)n, code), 0, (struct sockaddr *)&from, size);
	(void)n;
}

/* The same by TCP, to which the resolver turns when an answer has more than 512 bytes. */
static void serve_stream(int fd, unsigned code)
{
	unsigned char packet[2 + 2 * PACKET];
	ssize_t n = recv(fd, packet, 512, 0);
	size_t size;

	if (n < 14)
		return;
	size = reply(packet + 2, (size_t)n - 2, code);
	packet[0] = (unsigned char)(size >> 8);
	packet[1] = (unsigned char)size;
	n = send(fd, packet, size + 2, MSG_NOSIGNAL);
	(void)n;
}

static int stream_server(int server)
{
	struct sockaddr_in at;
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd != -1 && getsockname(server, (struct sockaddr *)&at, &size) == 0 &&
		bind(fd, (struct sockaddr *)&at, size) == 0 && listen(fd, 8) == 0)
		return fd;
	close(fd);
	return -1; /* somebody has that port */
}

static int listener = -1, stream = -1;

static void wait_for_end(struct dns *d, int server, int before, unsigned code)
{
	while (ended == before) {
		struct pollfd fds[DNS_POLL + 3];
		const size_t count = dns_poll(d, fds);

		fds[count] = (struct pollfd){ .fd = server, .events = POLLIN };
		fds[count + 1] = (struct pollfd){ .fd = listener, .events = POLLIN };
		fds[count + 2] = (struct pollfd){ .fd = stream, .events = POLLIN };
		if (poll(fds, count + 3, clock_left_ms(dns_deadline(d))) <= 0) {
			dns_step(d, fds, 0);
			continue;
		}
		if (fds[count].revents != 0)
			serve(server, code);
		if (fds[count + 2].revents != 0)
			serve_stream(stream, code);
		if (fds[count + 1].revents != 0) {
			if (stream != -1)
				close(stream);
			stream = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		}
		dns_step(d, fds, count);
	}
}

static char text[DNS_TEXT];
static bool has_text;
static struct addr first;
static size_t addresses;

static void on_text(void *arg, enum dns_result result, const char *t)
{
	on_end(arg, result, t);
	has_text = t != NULL;
	if (has_text)
		memcpy(text, t, strlen(t) + 1);
}

static void on_list(void *arg, enum dns_result result, const struct addr *list, size_t count)
{
	on_end(arg, result, NULL);
	addresses = count;
	if (count > 0)
		first = list[0];
}

static bool clean(const char *t, char low)
{
	for (; *t != '\0'; t++)
		if (*t < low || *t > 0x7e)
			return false;
	return true;
}

enum kind { TXT, A, AAAA, PTR, KINDS };

static int ask_kind(struct dns *d, enum kind k, const struct addr *a, int64_t deadline_ms)
{
	switch (k) {
	case TXT:
		return dns_txt(d, "x.example", deadline_ms, on_text, NULL);
	case A:
		return dns_a(d, "x.example", deadline_ms, on_list, NULL);
	case AAAA:
		return dns_aaaa(d, "x.example", deadline_ms, on_list, NULL);
	default:
		return dns_ptr(d, a, deadline_ms, on_text, NULL);
	}
}

static enum dns_result ask(struct dns *d, int server, enum kind k, unsigned code)
{
	const int before = ended;
	struct addr a;

	has_text = false;
	addresses = 0;
	if (addr_parse("192.0.2.1", &a) != NULL || ask_kind(d, k, &a, clock_ms() + 20000) == -1)
		return DNS_TEMPORARY;
	wait_for_end(d, server, before, code);
	return last;
}

static void good_answers(struct dns *d, int server)
{
	static const unsigned char six[] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	char address[ADDR_TEXT];

	clear_answer();
	put_record(16, "\3a\nb\1\377", 6);
	put_record(16, "\0\2cd", 4);
	tap_ok(ask(d, server, TXT, 0) == DNS_FOUND && has_text, "a text is found");
	tap_same(text, "a?b?cd", "all strings of all records, '?' for what is not printable");
	clear_answer();
	put_record(16, "\0", 1);
	tap_ok(ask(d, server, TXT, 0) == DNS_FOUND && has_text && text[0] == '\0', "a text may be empty");
	clear_answer();
	tap_ok(ask(d, server, TXT, 0) == DNS_NONE && !has_text, "no record is no text");
	tap_ok(ask(d, server, TXT, 3) == DNS_NONE && !has_text, "nor is a name that does not exist");
	tap_ok(ask(d, server, A, 2) == DNS_TEMPORARY && addresses == 0, "a server that fails is a failure");
	put_record(1, "\300\0\2\7", 4);
	put_record(1, "\300\0\2\10", 4);
	tap_ok(ask(d, server, A, 0) == DNS_FOUND && addresses == 2, "two addresses");
	addr_format(&first, address);
	tap_same(address, "192.0.2.7", "in their order");
	tap_ok(ask(d, server, AAAA, 0) == DNS_NONE && addresses == 0, "of which none is IPv6");
	clear_answer();
	put_record(28, six, sizeof six);
	tap_ok(ask(d, server, AAAA, 0) == DNS_FOUND && addresses == 1, "an IPv6 address");
	addr_format(&first, address);
	tap_same(address, "2001:db8::1", "is what was sent");
}

static void long_answers(struct dns *d, int server)
{
	unsigned char many[256] = { 255 };

	memset(many + 1, 'y', 255);
	listener = stream_server(server);
	if (listener == -1) {
		tap_ok(true, "long answers # skip no TCP port for them");
		return;
	}
	clear_answer();
	for (int i = 0; i < 3; i++)
		put_record(16, many, sizeof many);
	tap_ok(ask(d, server, TXT, 0) == DNS_FOUND && strlen(text) == DNS_TEXT - 1, "a long text is cut");
	clear_answer();
	for (int i = 0; i < 80; i++)
		put_record(1, "\300\0\2\7", 4);
	tap_ok(ask(d, server, A, 0) == DNS_FOUND && addresses == DNS_ADDRESSES,
		"more addresses than fit are left out");
}

/* ---- records ------------------------------------------------------------------------------------------- */

static char seen[8192]; /* "[data preference]" each */
static size_t seen_bytes, seen_records;

static void on_each(void *arg, const struct dns_record *r)
{
	const unsigned char *p = r->data;
	const size_t used = strlen(seen), room = sizeof seen - used;

	(void)arg;
	seen_records++;
	seen_bytes += r->n;
	for (size_t i = 0; i < r->n; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			return; /* counted, not shown */
	snprintf(seen + used, room, "[%.*s %u]", (int)r->n, (const char *)r->data, r->preference);
}

static void on_records_end(void *arg, enum dns_result result)
{
	on_end(arg, result, NULL);
}

static enum dns_result ask_records(struct dns *d, int server, enum dns_type type, unsigned code)
{
	const int before = ended;

	seen[0] = '\0';
	seen_bytes = seen_records = 0;
	if (dns_records(d, type, "x.example", clock_ms() + 20000, on_each, on_records_end, NULL) == -1)
		return DNS_TEMPORARY;
	wait_for_end(d, server, before, code);
	return last;
}

static void good_records(struct dns *d, int server)
{
	clear_answer();
	put_record(16, "\3one\3two", 8);
	put_record(16, "\5three", 6);
	put_record(16, "\0", 1);
	put_record(16, "\3\0\377\n", 4);
	tap_ok(ask_records(d, server, DNS_TXT, 0) == DNS_FOUND && seen_records == 4, "four texts");
	tap_same(seen, "[onetwo 0][three 0][ 0]", "each whole");
	tap_ok(seen_bytes == 6 + 5 + 0 + 3, "with any byte in it");
	clear_answer();
	put_record(15, "\0\12\1A\7example", 13);
	put_record(15, "\0\0\0", 3);
	tap_ok(ask_records(d, server, DNS_MX, 0) == DNS_FOUND, "exchangers");
	tap_same(
		seen, "[a.example 10][ 0]", "in small letters, with their preference; the root is no name");
	clear_answer();
	put_record(12, "\1a\7Example", 11);
	put_record(12, "\1b\7example", 11);
	tap_ok(ask_records(d, server, DNS_PTR, 0) == DNS_FOUND, "names");
	tap_same(seen, "[a.example 0][b.example 0]", "all of them");
	clear_answer();
	put_record(12, "\3a.b\7example", 13);
	tap_ok(ask_records(d, server, DNS_PTR, 0) != DNS_FOUND || strcmp(seen, "[ 0]") == 0,
		"a dot in a label makes no name");
	clear_answer();
	put_record(1, "abcd", 4);
	put_record(1, "efgh", 4);
	tap_ok(ask_records(d, server, DNS_A, 0) == DNS_FOUND, "addresses");
	tap_same(seen, "[abcd 0][efgh 0]", "as bytes");
	tap_ok(ask_records(d, server, DNS_TXT, 0) == DNS_NONE && seen_records == 0, "none of that type");
	clear_answer();
	tap_ok(ask_records(d, server, DNS_MX, 0) == DNS_NONE, "no record");
	tap_ok(ask_records(d, server, DNS_MX, 3) == DNS_NO_NAME, "no name");
	tap_ok(ask_records(d, server, DNS_MX, 2) == DNS_TEMPORARY, "no answer");
}

static void many_records(struct dns *d, int server)
{
	if (listener == -1) {
		tap_ok(true, "many records # skip no TCP port for them");
		return;
	}
	clear_answer();
	for (int i = 0; i < 100; i++)
		put_record(1, "abcd", 4);
	tap_ok(ask_records(d, server, DNS_A, 0) == DNS_FOUND && seen_records == 100,
		"all addresses, however many");
	clear_answer();
	for (int i = 0; i < 100; i++)
		put_record(16, "\1x", 2);
	tap_ok(ask_records(d, server, DNS_TXT, 0) == DNS_FOUND && seen_records == 100, "all texts");
}

/* What name asks for, as the wire has it: a backslash is one byte. */
static void escaped_names(struct dns *d, int server)
{
	unsigned char packet[512];
	const int before = ended;
	ssize_t n;

	tap_ok(dns_records(d, DNS_TXT, "a\\.b c", clock_ms() + 100, on_each, on_records_end, NULL) == 0,
		"a name with a backslash");
	n = recv(server, packet, sizeof packet, 0);
	tap_ok(n == 12 + 8 + 4 && memcmp(packet + 12, "\2a\\\3b c", 8) == 0, "is asked for as it stands");
	while (ended == before) {
		struct pollfd fds[DNS_POLL];
		const size_t count = dns_poll(d, fds);

		dns_step(d, fds, poll(fds, count, clock_left_ms(dns_deadline(d))) > 0 ? count : 0);
	}
	tap_ok(last == DNS_TEMPORARY, "and has its deadline");
	while (recv(server, packet, sizeof packet, MSG_DONTWAIT) > 0)
		;
}

static void bad_names(struct dns *d)
{
	char name[600];
	int before = ended;

	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	tap_ok(dns_records(d, DNS_MX, "no..name", clock_ms() + 20000, on_each, on_records_end, NULL) == 0 &&
			dns_records(d, DNS_MX, name, clock_ms() + 20000, on_each, on_records_end, NULL) ==
				0 &&
			ended == before,
		"names that cannot be asked");
	dns_step(d, NULL, 0);
	tap_ok(ended == before + 2 && last == DNS_NONE, "have no records");
}

/* A few records of the right and of wrong types, then bytes changed, cut and counted wrongly. */
static void damage(enum kind k)
{
	static const unsigned types[] = { 16, 1, 28, 12, 5, 41 };
	unsigned char data[64];

	clear_answer();
	for (unsigned i = dice(4); i > 0; i--) {
		const size_t n = dice(sizeof data);

		for (size_t j = 0; j < n; j++)
			data[j] = (unsigned char)dice(dice(2) ? 256 : 8);
		put_record(dice(3) ? types[k] : types[dice(6)], data,
			dice(2)     ? n
			: k == A    ? 4
			: k == AAAA ? 16
				    : n);
	}
	for (unsigned i = dice(4); i > 0 && answer_len > 0; i--)
		answer[dice((unsigned)answer_len)] = (unsigned char)dice(256);
	if (dice(4) == 0)
		answer_len -= dice((unsigned)answer_len + 1);
	if (dice(8) == 0)
		answer_records = dice(6);
}

static void damaged_records(struct dns *d, int server)
{
	static const enum dns_type type_of[] = {
		[TXT] = DNS_TXT, [A] = DNS_A, [AAAA] = DNS_AAAA, [PTR] = DNS_PTR
	};
	unsigned found = 0, bad = 0;

	for (unsigned i = 0; i < DAMAGED; i++) {
		const enum kind k = i % KINDS;
		const bool exchangers = k == PTR && dice(2) == 0;
		enum dns_result result;

		damage(k);
		result = ask_records(d, server, exchangers ? DNS_MX : type_of[k], 0);
		found += result == DNS_FOUND;
		bad += (result == DNS_FOUND) != (seen_records > 0);
		bad += k == A && seen_bytes != 4 * seen_records;
		bad += k == AAAA && seen_bytes != 16 * seen_records;
		bad += seen_bytes > sizeof answer;
	}
	tap_ok(found > DAMAGED / 100 && found < DAMAGED, "some damaged records are found");
	tap_ok(bad == 0, "and are of their size");
}

static void damaged_answers(struct dns *d, int server)
{
	unsigned found = 0, bad = 0;

	for (unsigned i = 0; i < DAMAGED; i++) {
		const enum kind k = i % KINDS;
		enum dns_result result;

		damage(k);
		result = ask(d, server, k, 0);
		found += result == DNS_FOUND;
		bad += has_text && !clean(text, k == TXT ? 0x20 : 0x21);
		bad += has_text && strlen(text) >= (k == TXT ? (size_t)DNS_TEXT : (size_t)DNS_NAME);
		bad += addresses > DNS_ADDRESSES;
		bad += (result == DNS_FOUND) != (has_text || addresses > 0);
	}
	tap_ok(found > DAMAGED / 100 && found < DAMAGED, "some of them answer the question");
	tap_ok(bad == 0, "what they say is clean and bounded");
}

int main(void)
{
	const int64_t far = clock_ms() + 60000;
	struct addr a;
	struct dns *d;
	int server = silent_server();

	if (server == -1 || addr_parse("127.0.0.1", &a) != NULL)
		return 1;
	d = dns_open();
	if (!tap_ok(d != NULL, "a resolver with a server of DNSCACHEIP"))
		return tap_end();
	tap_ok(dns_ptr(d, &a, far, on_end, NULL) == 0, "a question that stays open");
	tap_ok(dns_confirm(d, "no..name", &a, far, on_end, NULL) == 0 && ended == 0,
		"a name that cannot be asked says so later, not inside the call");
	tap_ok(dns_deadline(d) == 0, "but at once");
	dns_step(d, NULL, 0);
	tap_ok(ended == 1 && last == DNS_NONE, "it is no name; the other stays open");
	tap_ok(dns_ptr(d, &a, clock_ms(), on_end, NULL) == 0, "a question without time");
	tap_ok(dns_confirm(d, "no..name", &a, far, on_end, NULL) == 0, "and one more bad name before it");
	dns_step(d, NULL, 0);
	tap_ok(ended == 3, "both end in one step");
	dns_close(d);
	tap_ok(ended == 3, "who closes hears nothing more");

	d = dns_open();
	tap_ok(d != NULL && dns_ptr(d, &a, far, on_end, NULL) == 0 &&
			dns_confirm(d, "no..name", &a, far, on_end, NULL) == 0,
		"a bad name that nobody waits for");
	dns_close(d);
	tap_ok(ended == 3, "is forgotten with the rest");
	close(server);

	server = silent_server();
	d = dns_open();
	if (!tap_ok(server != -1 && d != NULL, "a resolver with a server that talks"))
		return tap_end();
	good_answers(d, server);
	long_answers(d, server);
	good_records(d, server);
	many_records(d, server);
	bad_names(d);
	damaged_answers(d, server);
	damaged_records(d, server);
	escaped_names(d, server);
	dns_close(d);
	close(server);
	return tap_end();
}
