#include "tcpserver/rbl_lists.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "net/dns_wait.h"

static const char *const failure_text = "temporary RBL lookup error";

enum { LABEL = 63 };

/* ---- one list ------------------------------------------------------------------------------------- */

static bool is_label(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x21 || text[i] > 0x7e || text[i] == '\\') /* \ is the resolver's escape */
			return false;
	return n <= LABEL;
}

/* Empty labels vanish, as in ucspi-tcp: "x.example." is "x.example". */
static const char *set_base(const char *text, size_t n, char to[RBL_BASE])
{
	const char *end = text + n;
	struct str base;

	str_init(&base, to, RBL_BASE);
	while (text < end) {
		const char *dot = memchr(text, '.', (size_t)(end - text));
		const size_t label = (size_t)((dot != NULL ? dot : end) - text);

		if (!is_label(text, label))
			return "is not a domain name";
		if (label > 0 && base.len > 0)
			str_putc(&base, '.');
		str_put(&base, text, label);
		text += label + (dot != NULL);
	}
	if (base.full)
		return "is too long for a list";
	return base.len == 0 ? "is not a domain name" : NULL;
}

const char *rbl_add(struct rbl *r, const char *spec, bool allows, bool bounce, bool closed)
{
	const size_t n = allows ? strlen(spec) : strcspn(spec, ":");
	struct rbl_list *l = &r->list[r->count];
	const char *wrong;

	if (r->count == RBL_LISTS)
		return "is one list too many (64)";
	memset(l, 0, sizeof *l);
	wrong = set_base(spec, n, l->base);
	if (wrong != NULL)
		return wrong;
	if (spec[n] == ':' && spec[n + 1] == '\0')
		return "has no text behind the colon";
	l->own_text = spec[n] == ':' ? spec + n + 1 : NULL;
	l->allows = allows;
	l->bounce = bounce;
	l->closed = closed;
	r->count++;
	return NULL;
}

/* ---- texts ---------------------------------------------------------------------------------------- */

static void put_cut(struct str *to, const char *p, size_t n)
{
	const size_t room = to->cap - 1 - to->len;

	str_put_printable(to, p, n < room ? n : room);
}

void rbl_clean(const char *from, char to[RBL_TEXT])
{
	struct str text;

	str_init(&text, to, RBL_TEXT);
	put_cut(&text, from, strlen(from));
}

static void expand(const char *from, const struct addr *client, char to[RBL_TEXT])
{
	static const char mark[] = "%IP%";
	char address[ADDR_TEXT];
	const size_t n = addr_format(client, address);
	struct str text;

	str_init(&text, to, RBL_TEXT);
	for (const char *hit; (hit = strstr(from, mark)) != NULL; from = hit + strlen(mark)) {
		put_cut(&text, from, (size_t)(hit - from));
		put_cut(&text, address, n);
	}
	put_cut(&text, from, strlen(from));
}

/* ---- asking --------------------------------------------------------------------------------------- */

static void on_text(void *arg, enum dns_result result, const char *text)
{
	struct rbl_list *l = arg;

	l->open = false;
	l->result = result;
	if (result != DNS_FOUND)
		return;
	rbl_clean(text, l->text);
	if (l->text[0] == '\0') /* ucspi-tcp: an empty text does not list */
		l->result = DNS_NONE;
}

static void on_addresses(void *arg, enum dns_result result, const struct addr *list, size_t count)
{
	struct rbl_list *l = arg;

	(void)list;
	(void)count;
	l->open = false;
	l->result = result;
}

static void list_ask(struct rbl_list *l, struct dns *d, const char *prefix, int64_t deadline_ms)
{
	char memory[DNS_NAME];
	struct str name;
	int asked;

	str_init(&name, memory, sizeof memory);
	str_puts(&name, prefix);
	str_puts(&name, l->base);
	if (l->allows || l->own_text != NULL)
		asked = dns_a(d, name.s, deadline_ms, on_addresses, l);
	else
		asked = dns_txt(d, name.s, deadline_ms, on_text, l);
	l->open = asked == 0;
}

/* "4.3.2.1." or the nibbles, each with its dot. */
static void set_prefix(const struct addr *client, char prefix[ADDR_ARPA])
{
	addr_arpa(client, prefix);
	prefix[strlen(prefix) - strlen(addr_is_v4(client) ? "in-addr.arpa" : "ip6.arpa")] = '\0';
}

/* A failure is taken for a hit by lists that block when closed, and by lists that allow when open. */
static bool list_hits(const struct rbl_list *l)
{
	return l->result == DNS_FOUND || (l->result == DNS_TEMPORARY && l->allows != l->closed);
}

/* What would asking one after the other have come to? False: that depends on an answer that is not here. */
static bool decide(const struct rbl *r, struct rbl_verdict *v)
{
	bool may_bounce = true;

	*v = (struct rbl_verdict){ .code = RBL_PASS };
	for (size_t i = 0; i < r->count; i++) {
		const struct rbl_list *l = &r->list[i];

		if (l->open)
			return false;
		may_bounce = may_bounce && l->result != DNS_TEMPORARY;
		if (!list_hits(l))
			continue;
		if (!l->allows) {
			v->code = l->bounce && may_bounce ? RBL_NEVER : RBL_LATER;
			v->text = l->result == DNS_FOUND ? l->text : failure_text;
		}
		return true;
	}
	return true;
}

struct rbl_verdict rbl_ask(struct rbl *r, const struct addr *client, int timeout_ms)
{
	const int64_t deadline_ms = clock_ms() + timeout_ms;
	struct dns *d = r->count > 0 && client != NULL ? dns_open() : NULL;
	struct rbl_verdict v;
	char prefix[ADDR_ARPA];

	if (client != NULL)
		set_prefix(client, prefix);
	for (size_t i = 0; i < r->count; i++) {
		r->list[i].result = DNS_TEMPORARY;
		if (r->list[i].own_text != NULL && client != NULL)
			expand(r->list[i].own_text, client, r->list[i].text);
		if (d != NULL)
			list_ask(&r->list[i], d, prefix, deadline_ms);
	}
	while (!decide(r, &v))
		dns_wait_turn(d);
	dns_close(d);
	return v;
}
