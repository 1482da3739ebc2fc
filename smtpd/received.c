#include "smtpd/received.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "mail/header.h"

/* What a client says of itself may not look like more of our field: other bytes become '?'. */
static void put_safe(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
			     (*text >= '0' && *text <= '9') || strchr(".@%+/=:-_[]", *text) != NULL;

		str_putc(out, plain ? *text : '?');
	}
}

static const char *known(const char *value)
{
	return value != NULL ? value : "unknown";
}

void received_protocol(const struct session *s, struct str *out)
{
	str_puts(out, s->utf8 ? "UTF8SMTP" : s->esmtp ? "ESMTP" : "SMTP");
	if (!s->esmtp)
		return;
	if (s->tls.on)
		str_putc(out, 'S');
	if (s->user != NULL)
		str_putc(out, 'A');
}

/* RFC 5321 section 4.1.3 has IPv6 addresses as literals; IPv4 stays as qmail has it. */
static void put_ip(struct str *out, const char *ip)
{
	const bool v6 = strchr(ip, ':') != NULL;

	str_puts(out, v6 ? "[IPv6:" : "");
	put_safe(out, ip);
	str_puts(out, v6 ? "]" : "");
}

static void put_from(const struct session *s, struct str *out)
{
	const char *host = known(s->ucspi[UCSPI_REMOTEHOST]);

	str_puts(out, "Received: from ");
	put_safe(out, host);
	if (s->helo[0] != '\0' && strcasecmp(host, s->helo) != 0) {
		str_puts(out, " (HELO ");
		put_safe(out, s->helo);
		str_putc(out, ')');
	}
	str_puts(out, " (");
	if (s->user != NULL || s->ucspi[UCSPI_REMOTEINFO] != NULL) {
		put_safe(out, s->user != NULL ? s->user : s->ucspi[UCSPI_REMOTEINFO]);
		str_putc(out, '@');
	}
	put_ip(out, known(s->ucspi[UCSPI_REMOTEIP]));
	str_putc(out, ')');
}

static void put_tls(const struct session_tls *t, struct str *out)
{
	if (!t->on || t->version == NULL)
		return;
	str_puts(out, " (");
	put_safe(out, t->version);
	if (t->cipher != NULL) {
		str_putc(out, ' ');
		put_safe(out, t->cipher);
	}
	str_putc(out, ')');
}

void received_put(const struct session *s, struct str *out)
{
	const char *local = s->ucspi[UCSPI_LOCALHOST];
	const char *end = s->text.binary ? "\r\n" : "\n";

	put_from(s, out);
	str_puts(out, end);
	str_puts(out, "  by ");
	put_safe(out, local != NULL ? local : known(s->ucspi[UCSPI_LOCALIP]));
	str_puts(out, " with ");
	received_protocol(s, out);
	put_tls(&s->tls, out);
	str_puts(out, "; ");
	header_date(out, time(NULL));
	str_puts(out, end);
}
