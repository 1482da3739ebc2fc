#include "mail/spf_question.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"

static void set_address(struct spf *s)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *ip = s->question->ip;
	struct str dotted;

	s->values.version = spf_text_of(spf_is_v4(ip) ? "in-addr" : "ip6");
	if (spf_is_v4(ip))
		inet_ntop(AF_INET, ip + SPF_V4_AT, s->readable, sizeof s->readable);
	else
		inet_ntop(AF_INET6, ip, s->readable, sizeof s->readable);
	s->values.readable = s->values.dotted = spf_text_of(s->readable);
	if (spf_is_v4(ip))
		return;
	str_init(&dotted, s->dotted, sizeof s->dotted);
	for (size_t i = 0; i < 32; i++) {
		if (i > 0)
			str_putc(&dotted, '.');
		str_putc(&dotted, hex[i % 2 == 0 ? ip[i / 2] >> 4 : ip[i / 2] & 15]);
	}
	s->values.dotted = spf_text_of(s->dotted);
}

static void set_words(struct spf *s)
{
	struct str time;

	str_init(&time, s->time, sizeof s->time);
	str_putu(&time, s->question->now_s);
	s->values.time = spf_text_of(s->time);
	s->values.helo = spf_text_of(s->question->helo);
	s->values.receiver =
		spf_text_of(*s->question->receiver != '\0' ? s->question->receiver : "unknown");
}

/* Sections 2.4 and 4.3: without a local part it is postmaster. False: there is too much of it. */
static bool set_sender(struct spf *s)
{
	const char *sender = s->question->sender, *at = strrchr(sender, '@');
	const char *domain = at != NULL ? at + 1 : *sender != '\0' ? sender : s->question->helo;
	struct str text;
	size_t local;

	str_init(&text, s->sender, sizeof s->sender);
	str_put(&text, sender, at != NULL ? (size_t)(at - sender) : 0);
	if (text.len == 0)
		str_puts(&text, "postmaster");
	local = text.len;
	str_putc(&text, '@');
	str_puts(&text, domain);
	if (text.full)
		return false;
	s->values.sender = (struct spf_text){ s->sender, text.len };
	s->values.local = (struct spf_text){ s->sender, local };
	s->values.origin = (struct spf_text){ s->sender + local + 1, text.len - local - 1 };
	return true;
}

bool spf_question_set(struct spf *s, char domain[SPF_NAME])
{
	struct spf_text *o = &s->values.origin;

	set_address(s);
	set_words(s);
	domain[0] = '\0';
	if (!set_sender(s))
		return false;
	if (o->n > 0 && o->p[o->n - 1] == '.')
		o->n--;
	if (!spf_is_name(o->p, o->n))
		return false;
	memcpy(domain, o->p, o->n);
	domain[o->n] = '\0';
	return true;
}
