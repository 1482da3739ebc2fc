#include "queue/history.h"

#include <string.h>

#include "base/io.h"
#include "base/str.h"

enum {
	LINE = HISTORY_REPORT + 4096, /* two addresses would fit, too */
	LOG_STUCK_MS = 1000
};

void history_init(struct history *h, int fd)
{
	h->fd = fd;
	h->deliveries = h->lost = 0;
	h->lines = 0;
	h->used = 0;
}

static bool write_all(const struct history *h, char *p, size_t n)
{
	struct io_writer w = {
		.fd = h->fd,
		.timeout_ms = h->lost > 0 ? 0 : LOG_STUCK_MS,
		.buf = p,
		.cap = n,
		.len = n,
	};

	return io_flush(&w) == IO_OK;
}

/* What is lost may have ended in the middle of a line. */
static bool tell_lost(const struct history *h)
{
	char memory[128];
	struct str line;

	str_init(&line, memory, sizeof memory);
	str_puts(&line, "\nwarning: ");
	str_putu(&line, h->lost);
	str_puts(&line, " lines of this log are lost\n");
	return write_all(h, line.s, line.len);
}

void history_flush(struct history *h)
{
	if (h->used == 0)
		return;
	if ((h->lost == 0 || tell_lost(h)) && write_all(h, h->buffer, h->used))
		h->lost = 0;
	else
		h->lost += h->lines;
	h->used = 0;
	h->lines = 0;
}

/* ---- a line -------------------------------------------------------------------------------------------- */

struct line {
	char memory[LINE];
	struct str text;
};

static struct str *begin(struct line *l, const char *word)
{
	str_init(&l->text, l->memory, sizeof l->memory);
	str_puts(&l->text, word);
	return &l->text;
}

static void end(struct history *h, struct str *line)
{
	str_putc(line, '\n');
	if (line->len > sizeof h->buffer - h->used)
		history_flush(h);
	memcpy(h->buffer + h->used, line->s, line->len);
	h->used += line->len;
	h->lines++;
}

static char safe(char c)
{
	if (c == '\n')
		return '/';
	return c == '%' || c < 33 || c > 126 ? '_' : c;
}

/* What does not fit is cut: an address of a mail is never as long. */
static void put_safe(struct str *line, const char *p, size_t n)
{
	for (; n > 0 && *p != '\0' && line->len < LINE - 64; n--, p++)
		str_putc(line, safe(*p));
}

static void put_number(struct history *h, const char *word, uint64_t n)
{
	struct line l;
	struct str *line = begin(&l, word);

	str_putu(line, n);
	end(h, line);
}

/* ---- the lines of qmail-send --------------------------------------------------------------------------- */

static void put_slots(struct str *line, const char *channel, uint32_t n, uint32_t most)
{
	str_puts(line, channel);
	str_putu(line, n);
	str_putc(line, '/');
	str_putu(line, most);
}

void history_status(struct history *h, const struct history_slots *s, bool exitasap)
{
	struct line l;
	struct str *line = begin(&l, "status:");

	put_slots(line, " local ", s->local, s->local_most);
	put_slots(line, " remote ", s->remote, s->remote_most);
	str_puts(line, exitasap ? " exitasap" : "");
	end(h, line);
}

void history_exiting(struct history *h)
{
	struct line l;

	end(h, begin(&l, "status: exiting"));
}

void history_new(struct history *h, uint64_t id)
{
	put_number(h, "new msg ", id);
}

void history_info(
	struct history *h, uint64_t id, uint64_t bytes, const char *sender, uint64_t qp, uid_t uid)
{
	struct line l;
	struct str *line = begin(&l, "info msg ");

	str_putu(line, id);
	str_puts(line, ": bytes ");
	str_putu(line, bytes);
	str_puts(line, " from <");
	put_safe(line, sender, SIZE_MAX);
	str_puts(line, "> qp ");
	str_putu(line, qp);
	str_puts(line, " uid ");
	str_putu(line, uid);
	end(h, line);
}

uint64_t history_start(struct history *h, uint64_t id, bool local, const char *recipient)
{
	struct line l;
	struct str *line = begin(&l, "starting delivery ");

	str_putu(line, ++h->deliveries);
	str_puts(line, ": msg ");
	str_putu(line, id);
	str_puts(line, local ? " to local " : " to remote ");
	put_safe(line, recipient, SIZE_MAX);
	end(h, line);
	return h->deliveries;
}

static const char *name_of(char letter)
{
	switch (letter) {
	case 'K':
		return ": success: ";
	case 'D':
		return ": failure: ";
	case 'Z':
		return ": deferral: ";
	default:
		return NULL;
	}
}

void history_report(struct history *h, uint64_t delivery, char letter, const char *text, size_t n)
{
	struct line l;
	struct str *line = begin(&l, "delivery ");
	const char *name = name_of(letter);

	str_putu(line, delivery);
	str_puts(line, name != NULL ? name : ": report mangled, will defer");
	if (name != NULL)
		put_safe(line, text, n < HISTORY_REPORT ? n : HISTORY_REPORT);
	end(h, line);
}

void history_bounce(struct history *h, uint64_t id, uint64_t qp)
{
	struct line l;
	struct str *line = begin(&l, "bounce msg ");

	str_putu(line, id);
	str_puts(line, " qp ");
	str_putu(line, qp);
	end(h, line);
}

void history_triple_bounce(struct history *h, uint64_t id)
{
	put_number(h, "triple bounce: discarding bounce/", id);
}

void history_end(struct history *h, uint64_t id)
{
	put_number(h, "end msg ", id);
}

void history_say(struct history *h, const char *kind, const char *text)
{
	struct line l;
	struct str *line = begin(&l, kind);

	for (; *text != '\0' && line->len < LINE - 64; text++)
		str_putc(line, *text == ' ' ? ' ' : safe(*text));
	end(h, line);
}
