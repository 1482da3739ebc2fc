#include "mail/header.h"

#include <string.h>
#include <strings.h>

void header_date(struct str *out, time_t when)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
		"Oct", "Nov", "Dec" };
	struct tm utc;

	if (gmtime_r(&when, &utc) == NULL)
		utc = (struct tm){ .tm_mday = 1, .tm_year = 70 };
	str_putu(out, (unsigned long)utc.tm_mday);
	str_putc(out, ' ');
	str_puts(out, months[utc.tm_mon]);
	str_putc(out, ' ');
	str_putu(out, (unsigned long)utc.tm_year + 1900);
	str_putc(out, ' ');
	str_put02u(out, (unsigned)utc.tm_hour);
	str_putc(out, ':');
	str_put02u(out, (unsigned)utc.tm_min);
	str_putc(out, ':');
	str_put02u(out, (unsigned)utc.tm_sec);
	str_puts(out, " -0000");
}

void header_hops_init(struct header_hops *h)
{
	*h = (struct header_hops){ .hops = 0 };
}

static bool begins(const struct header_hops *h, const char *field)
{
	size_t n = strlen(field);

	return h->len >= n && strncasecmp(h->start, field, n) == 0;
}

static void end_line(struct header_hops *h)
{
	if (h->len == 0 || (h->len == 1 && h->start[0] == '\r'))
		h->over = true;
	else if (begins(h, "Received:") || begins(h, "Delivered-To:"))
		h->hops++;
	h->len = 0;
}

void header_hops_feed(struct header_hops *h, const char *p, size_t n)
{
	while (n > 0 && !h->over) {
		const char *lf = memchr(p, '\n', n);
		size_t line = lf != NULL ? (size_t)(lf - p) : n;
		size_t room = sizeof h->start - h->len, part = line < room ? line : room;

		memcpy(h->start + h->len, p, part);
		h->len += part;
		if (lf == NULL)
			return;
		end_line(h);
		p = lf + 1;
		n -= line + 1;
	}
}
