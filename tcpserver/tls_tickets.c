#include "tcpserver/tls_tickets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/fs.h"
#include "base/num.h"

enum { KEY_BYTES = sizeof(struct tls_ticket_key), KEY_DIGITS = 2 * KEY_BYTES };

static const char new_file[] = "ticket.keys.new", file[] = "ticket.keys";

/* ---- text ---------------------------------------------------------------------------------------------- */

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

static bool read_key(const char *text, struct tls_ticket_key *key)
{
	unsigned char bytes[KEY_BYTES] = { 0 };

	for (size_t i = 0; i < KEY_BYTES; i++) {
		const int high = digit(text[2 * i]), low = high == -1 ? -1 : digit(text[2 * i + 1]);

		if (low == -1)
			return false;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	memcpy(key, bytes, sizeof *key);
	return true;
}

bool tls_tickets_parse(struct tls_tickets *t, const char *text)
{
	struct tls_ticket_key key[TLS_TICKETS] = { 0 };
	time_t made[TLS_TICKETS] = { 0 };
	size_t count = 0;

	while (*text != '\0') {
		const size_t n = strcspn(text, " ");
		unsigned long second;

		if (count == TLS_TICKETS || text[n] != ' ' ||
			num_parse_n(text, n, 0, LONG_MAX, &second) != NULL ||
			!read_key(text + n + 1, &key[count]) || text[n + 1 + KEY_DIGITS] != '\n')
			return false;
		made[count++] = (time_t)second;
		text += n + 1 + KEY_DIGITS + 1;
	}
	if (count == 0)
		return false;
	memcpy(t->key, key, sizeof key);
	memcpy(t->made, made, sizeof made);
	t->count = count;
	return true;
}

void tls_tickets_format(const struct tls_tickets *t, struct str *to)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < t->count; i++) {
		unsigned char bytes[KEY_BYTES];

		memcpy(bytes, &t->key[i], sizeof bytes);
		str_putu(to, (unsigned long)t->made[i]);
		str_putc(to, ' ');
		for (size_t b = 0; b < KEY_BYTES; b++) {
			str_putc(to, digits[bytes[b] >> 4]);
			str_putc(to, digits[bytes[b] & 15]);
		}
		str_putc(to, '\n');
	}
}

/* ---- the file ------------------------------------------------------------------------------------------ */

/* One of the future is a clock that was wrong. */
static bool is_old(const struct tls_tickets *t, time_t now)
{
	return t->count == 0 || now - t->made[0] >= TICKETS_AGE_S || t->made[0] - now > TICKETS_AGE_S;
}

static bool read_file(struct tls_tickets *t)
{
	char text[TICKETS_BYTES];
	struct tls_stamp now;
	bool good;

	tls_stamp(t->path, &now);
	if (now.inode == 0 || tls_stamp_same(&now, &t->stamp))
		return false;
	t->stamp = now;
	good = fs_read_all(AT_FDCWD, t->path, text, sizeof text) != -1 && tls_tickets_parse(t, text);
	explicit_bzero(text, sizeof text);
	if (!good)
		warn("%s holds no keys of tickets: it is written anew", t->path);
	else if (tls_stamp_is_public(t->path))
		warn("%s can be read by everybody: remove it, a new one will be made", t->path);
	return good;
}

static int write_file(const struct tls_tickets *t, int dir)
{
	char text[TICKETS_BYTES];
	struct str s;
	int fd, result;

	(void)unlinkat(dir, new_file, 0);
	fd = openat(dir, new_file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	str_init(&s, text, sizeof text);
	tls_tickets_format(t, &s);
	result = fs_write_all(fd, s.s, s.len);
	explicit_bzero(text, sizeof text);
	close(fd);
	return result == -1 ? -1 : renameat(dir, new_file, dir, file);
}

static bool put_in_front(struct tls_tickets *t, time_t now)
{
	struct tls_ticket_key fresh;

	if (!tls_random(&fresh, sizeof fresh))
		return false;
	t->key[1] = t->key[0];
	t->made[1] = t->made[0];
	t->key[0] = fresh;
	t->made[0] = now;
	t->count = t->count == 0 ? 1 : TLS_TICKETS;
	return true;
}

/* Whoever has the lock rotates; the others find its file. */
static bool rotate(struct tls_tickets *t, time_t now)
{
	const int dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool changed;

	if (dir != -1)
		(void)flock(dir, LOCK_EX);
	changed = read_file(t);
	if (is_old(t, now) && put_in_front(t, now)) {
		changed = true;
		if (dir != -1 && write_file(t, dir) == 0) {
			tls_stamp(t->path, &t->stamp);
		} else if (!t->told) {
			t->told = true;
			warn("unable to write %s: %s; sessions are resumed by this process only", t->path,
				errtext(errno));
		}
	}
	if (dir != -1)
		close(dir);
	return changed;
}

void tls_tickets_open(struct tls_tickets *t, const char *dir)
{
	struct str s;

	*t = (struct tls_tickets){ .dir = dir };
	str_init(&s, t->path, sizeof t->path);
	str_puts(&s, dir);
	str_putc(&s, '/');
	str_puts(&s, file);
}

bool tls_tickets_look(struct tls_tickets *t)
{
	const time_t now = time(NULL);
	bool changed = read_file(t);

	if (is_old(t, now))
		changed |= rotate(t, now);
	return changed;
}
