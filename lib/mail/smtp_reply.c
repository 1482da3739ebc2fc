#include "mail/smtp_reply.h"

#include <string.h>

enum { CODE = 3 };

void smtp_reply_init(struct smtp_reply *r)
{
	*r = (struct smtp_reply){ .code = 0 };
	str_init(&r->gathered, r->text, sizeof r->text);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 0: none. */
static unsigned code_of(const char *line, size_t n)
{
	if (n < CODE || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]))
		return 0;
	if (n > CODE && line[CODE] != ' ' && line[CODE] != '-')
		return 0;
	return 100U * (unsigned)(line[0] - '0') + 10U * (unsigned)(line[1] - '0') +
	       (unsigned)(line[2] - '0');
}

/* 1 to 3 digits from there on. */
static size_t digits(const char *p)
{
	size_t n = 0;

	while (n < 3 && is_digit(p[n]))
		n++;
	return n;
}

/* How long the enhanced code is that the text begins with, "5.1.1"; 0: none of that class. */
static size_t status_length(const char *p, char class)
{
	size_t subject, detail;

	if (p[0] != class || p[1] != '.')
		return 0;
	subject = digits(p + 2);
	if (subject == 0 || p[2 + subject] != '.')
		return 0;
	detail = digits(p + 3 + subject);
	if (detail == 0 || (p[3 + subject + detail] != ' ' && p[3 + subject + detail] != '\0'))
		return 0;
	return 3 + subject + detail;
}

static void gather(struct smtp_reply *r, const char *text)
{
	size_t n = strlen(text), room;

	if (r->gathered.len > 0 && n > 0)
		str_putc(&r->gathered, ' ');
	room = r->gathered.cap - 1 - r->gathered.len;
	str_put_printable(&r->gathered, text, n < room ? n : room);
}

/* The first line says which enhanced code it is; the others mostly repeat it. */
static void take_text(struct smtp_reply *r)
{
	const char *text = r->line;
	const size_t n = status_length(text, (char)('0' + r->code / 100));

	if (r->lines == 1 && n > 0) {
		memcpy(r->status, text, n);
		r->status[n] = '\0';
	}
	if (n > 0 && strncmp(text, r->status, n) == 0 && r->status[n] == '\0')
		text += n + (text[n] == ' ');
	gather(r, text);
}

static enum smtp_reply_state take_line(struct smtp_reply *r)
{
	size_t n = r->line_len;
	unsigned code;
	bool more;

	r->line_len = 0;
	if (n > 0 && r->line[n - 1] == '\r')
		n--;
	code = code_of(r->line, n);
	if (code == 0 || (r->lines > 0 && code != r->code) || r->lines == SMTP_REPLY_LINES)
		return SMTP_REPLY_BAD;
	r->code = code;
	r->lines++;
	more = n > CODE && r->line[CODE] == '-';
	n -= n > CODE ? CODE + 1 : CODE;
	memmove(r->line, r->line + CODE + 1, n);
	r->line[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (r->line[i] == '\0') /* it shall not hide what follows */
			r->line[i] = '?';
	take_text(r);
	return more ? SMTP_REPLY_ENDED : SMTP_REPLY_WHOLE;
}

enum smtp_reply_state smtp_reply_feed(struct smtp_reply *r, const char *p, size_t n, size_t *used)
{
	const char *lf = memchr(p, '\n', n);
	const size_t text = lf == NULL ? n : (size_t)(lf - p), room = sizeof r->line - 1 - r->line_len;

	*used = text + (lf != NULL);
	r->bytes += *used;
	if (r->bytes > SMTP_REPLY_BYTES)
		return SMTP_REPLY_BAD;
	memcpy(r->line + r->line_len, p, text < room ? text : room);
	r->line_len += text < room ? text : room;
	return lf == NULL ? SMTP_REPLY_MORE : take_line(r);
}

void smtp_reply_put(const struct smtp_reply *r, struct str *to, size_t max)
{
	const size_t start = to->len;
	size_t n = strlen(r->text), room;

	str_putu(to, r->code);
	if (r->status[0] != '\0') {
		str_putc(to, ' ');
		str_puts(to, r->status);
	}
	if (n > 0)
		str_putc(to, ' ');
	room = max > to->len - start ? max - (to->len - start) : 0;
	str_put(to, r->text, n < room ? n : room);
}
