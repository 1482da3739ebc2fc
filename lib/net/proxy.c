#include "net/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/num.h"

static enum proxy bad(struct proxy_header *h, const char *fault)
{
	h->fault = fault;
	return PROXY_BAD;
}

static enum proxy done(struct proxy_header *h, size_t len)
{
	h->len = len;
	return PROXY_DONE;
}

/* ---- version 1: section 2.1 ----------------------------------------------------------------------- */

static const char line_start[] = "PROXY ";
static const char own_word[] = "UNKNOWN";
enum { LINE_START = sizeof line_start - 1, WORD_MAX = 7 };

/* A word up to one blank (or the end of the line, for the last), or NULL. Moves *p behind that blank. */
static const char *word(const char **p, const char *end, bool last, size_t *n)
{
	const char *start = *p;
	const char *blank = memchr(start, ' ', (size_t)(end - start));

	if ((blank == NULL) != last)
		return NULL;
	if (last)
		blank = end;
	*n = (size_t)(blank - start);
	*p = last ? end : blank + 1;
	return *n == 0 ? NULL : start;
}

/* Both of inet_pton's grammars are the strict ones: no leading zeros, no scope, no brackets. */
static bool take_addr(const char **p, const char *end, int family, struct addr *out)
{
	struct sockaddr_storage at = { .ss_family = (sa_family_t)family };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&at;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&at;
	char text[ADDR_TEXT];
	unsigned port;
	size_t n;
	const char *w = word(p, end, false, &n);

	if (w == NULL || n >= sizeof text)
		return false;
	memcpy(text, w, n);
	text[n] = '\0';
	return inet_pton(family, text, family == AF_INET ? (void *)&v4->sin_addr : &v6->sin6_addr) == 1 &&
	       addr_from_sockaddr(&at, out, &port) == 0;
}

static bool take_port(const char **p, const char *end, bool last, unsigned *out)
{
	unsigned long value;
	size_t n;
	const char *w = word(p, end, last, &n);

	if (w == NULL || (n > 1 && w[0] == '0') || num_parse_n(w, n, 0, 65535, &value) != NULL)
		return false;
	*out = (unsigned)value;
	return true;
}

/* The line without its CR LF, from behind "PROXY ". */
static const char *parse_line(const char *p, const char *end, struct proxy_header *h)
{
	const size_t unknown = sizeof own_word - 1;
	size_t n = (size_t)(end - p);
	struct ends *e = &h->ends;
	int family;

	if (n >= unknown && memcmp(p, own_word, unknown) == 0 && (n == unknown || p[unknown] == ' ')) {
		h->own = true; /* whatever stands behind it must be ignored */
		return NULL;
	}
	if (n < 5 || memcmp(p, "TCP", 3) != 0 || (p[3] != '4' && p[3] != '6') || p[4] != ' ')
		return "neither TCP4 nor TCP6 nor UNKNOWN";
	family = p[3] == '4' ? AF_INET : AF_INET6;
	p += 5;
	if (!take_addr(&p, end, family, &e->remote) || !take_addr(&p, end, family, &e->local))
		return "no address of that family";
	if (!take_port(&p, end, false, &e->remote_port) || !take_port(&p, end, true, &e->local_port))
		return "no port";
	return NULL;
}

static enum proxy parse_v1(const char *text, size_t n, struct proxy_header *h)
{
	const char *fault;
	size_t i;

	for (i = LINE_START; i < n && i < PROXY_LINE; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			break;
	if (i >= PROXY_LINE - 1) /* its CR LF would end behind PROXY_LINE */
		return bad(h, "line too long");
	if (i == n)
		return PROXY_MORE;
	if (text[i] != '\r')
		return bad(h, "a byte that is no text");
	if (i + 1 == n)
		return PROXY_MORE;
	if (text[i + 1] != '\n')
		return bad(h, "CR without LF");
	fault = parse_line(text + LINE_START, text + i, h);
	return fault == NULL ? done(h, i + 2) : bad(h, fault);
}

/* ---- version 2: section 2.2 ----------------------------------------------------------------------- */

static const unsigned char signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 'Q', 'U', 'I', 'T',
	0x0a };

enum { FIXED = 16, COMMAND = 12, FAMILY = 13, LENGTH = 14 };
enum { TLV_HEAD = 3, TLV_CRC32C = 3, CRC_BYTES = 4 };

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The Castagnoli polynomial, a bit at a time: a header is short and comes once a connection. */
static uint32_t crc32c(uint32_t crc, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* Over the whole header, its own four bytes taken as zero. */
static bool crc_is_right(const unsigned char *p, size_t len, size_t at)
{
	static const unsigned char zero[CRC_BYTES];
	uint32_t crc = crc32c(~(uint32_t)0, p, at);

	crc = crc32c(crc, zero, CRC_BYTES);
	crc = ~crc32c(crc, p + at + CRC_BYTES, len - at - CRC_BYTES);
	return crc == ((uint32_t)get16(p + at) << 16 | get16(p + at + 2));
}

static const char *check_tlvs(const unsigned char *p, size_t at, size_t len)
{
	while (at < len) {
		size_t n;

		if (len - at < TLV_HEAD)
			return "cut TLV";
		n = get16(p + at + 1);
		if (n > len - at - TLV_HEAD)
			return "TLV longer than the header";
		if (p[at] == TLV_CRC32C && (n != CRC_BYTES || !crc_is_right(p, len, at + TLV_HEAD)))
			return "wrong checksum";
		at += TLV_HEAD + n;
	}
	return NULL;
}

static void get_addr(const unsigned char *p, size_t bytes, struct addr *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(out->byte, mapped, sizeof mapped);
	memcpy(out->byte + 16 - bytes, p, bytes); /* ::ffff:a.b.c.d is the same however it came */
}

static void get_ends(const unsigned char *p, size_t bytes, struct ends *e)
{
	get_addr(p, bytes, &e->remote);
	get_addr(p + bytes, bytes, &e->local);
	e->remote_port = get16(p + 2 * bytes);
	e->local_port = get16(p + 2 * bytes + 2);
}

/* What the family and transport byte says: how long the addresses are, and of what. */
static const struct family {
	unsigned char code;
	unsigned char block_bytes;
	unsigned char addr_bytes; /* 0: nothing that is TCP, so the connection's own ends stay */
} families[] = {
	{ 0x00, 0, 0 },                                     /* UNSPEC */
	{ 0x01, 0, 0 }, { 0x02, 0, 0 },                     /* of which a transport is known: UNSPEC, too */
	{ 0x10, 12, 0 }, { 0x11, 12, 4 }, { 0x12, 12, 0 },  /* AF_INET, STREAM, DGRAM */
	{ 0x20, 36, 0 }, { 0x21, 36, 16 }, { 0x22, 36, 0 }, /* AF_INET6 */
	{ 0x30, 216, 0 }, { 0x31, 216, 0 }, { 0x32, 216, 0 } /* AF_UNIX */
};

static const struct family *family_of(unsigned char code)
{
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (families[i].code == code)
			return &families[i];
	return NULL;
}

static enum proxy parse_v2(const unsigned char *p, size_t n, struct proxy_header *h)
{
	const struct family *f;
	const char *fault;
	size_t len;

	if (n > COMMAND && p[COMMAND] != 0x20 && p[COMMAND] != 0x21)
		return bad(h, "neither LOCAL nor PROXY of version 2");
	if (n < FIXED)
		return PROXY_MORE;
	len = FIXED + (size_t)get16(p + LENGTH);
	if (len > PROXY_MAX)
		return bad(h, "too long");
	h->own = p[COMMAND] == 0x20; /* LOCAL: whatever follows must be discarded, family included */
	f = family_of(p[FAMILY]);
	if (!h->own && f == NULL)
		return bad(h, "unknown family or transport");
	if (!h->own && len - FIXED < f->block_bytes)
		return bad(h, "addresses cut short");
	if (n < len)
		return PROXY_MORE;
	if (h->own)
		return done(h, len);
	h->own = f->addr_bytes == 0;
	if (h->own)
		return done(h, len);
	fault = check_tlvs(p, FIXED + (size_t)f->block_bytes, len);
	if (fault != NULL)
		return bad(h, fault);
	get_ends(p + FIXED, f->addr_bytes, &h->ends);
	return done(h, len);
}

/* ---- either ---------------------------------------------------------------------------------------- */

static bool begins_like(const unsigned char *p, size_t n, const void *start, size_t start_len)
{
	return n == 0 || memcmp(p, start, n < start_len ? n : start_len) == 0;
}

/* What these bytes are certainly the beginning of: version 1, 2, or 0 for neither. */
static int version_of(const unsigned char *p, size_t n)
{
	if (n >= LINE_START && begins_like(p, n, line_start, LINE_START))
		return 1;
	return n >= sizeof signature && begins_like(p, n, signature, sizeof signature) ? 2 : 0;
}

enum proxy proxy_parse(const unsigned char *p, size_t n, struct proxy_header *h)
{
	memset(h, 0, sizeof *h);
	switch (version_of(p, n)) {
	case 1:
		return parse_v1((const char *)p, n, h);
	case 2:
		return parse_v2(p, n, h);
	default:
		break;
	}
	return begins_like(p, n, line_start, LINE_START) || begins_like(p, n, signature, sizeof signature)
		       ? PROXY_MORE
		       : PROXY_NONE;
}

/* ---- on a socket ----------------------------------------------------------------------------------- */

static void wake_at(int fd, int bytes)
{
	/* where this is not to be had, poll wakes more often than it must */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

void proxy_stop(int fd)
{
	wake_at(fd, 1);
}

static ssize_t take(int fd, void *p, size_t n, int flags)
{
	ssize_t got;

	do
		got = recv(fd, p, n, flags | MSG_DONTWAIT);
	while (got == -1 && errno == EINTR);
	return got;
}

/* No more than these n will come. What came between our look and the end is seen by the second look. */
static bool is_cut(int fd, unsigned char *bytes, ssize_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && take(fd, bytes, PROXY_MAX, MSG_PEEK) == n;
}

static enum proxy look(int fd, struct proxy_header *h)
{
	unsigned char bytes[PROXY_MAX];
	const ssize_t n = take(fd, bytes, sizeof bytes, MSG_PEEK);
	enum proxy answer;

	memset(h, 0, sizeof *h);
	if (n == -1)
		return errno == EAGAIN ? PROXY_MORE : bad(h, "connection lost");
	if (n == 0)
		return PROXY_NONE;
	answer = proxy_parse(bytes, (size_t)n, h);
	if (answer == PROXY_MORE) {
		if (is_cut(fd, bytes, n))
			return version_of(bytes, (size_t)n) == 0
				       ? PROXY_NONE
				       : bad(h, "connection ended inside the header");
		wake_at(fd, (int)n + 1);
	}
	/* it is there, or we would not have seen it: a short read cannot be */
	if (answer == PROXY_DONE && take(fd, bytes, h->len, 0) != (ssize_t)h->len)
		return bad(h, "connection lost");
	return answer;
}

enum proxy proxy_read(int fd, struct proxy_header *h)
{
	const enum proxy answer = look(fd, h);

	if (answer != PROXY_MORE)
		proxy_stop(fd);
	return answer;
}
