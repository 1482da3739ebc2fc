#include "smtpd/milter_session.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/num.h"
#include "net/addr.h"
#include "smtpd/milter_message.h"
#include "smtpd/milter_tell.h"

static const struct milter_verdict go = { .kind = MILTER_GO };

void milter_session_init(struct milter_session *s)
{
	s->link.fd = -1;
	milter_message_forget(s);
}

/* ---- what the milter is told ---------------------------------------------------------------------------- */

/* Any family but the two is 'U': a client without an address. */
static void put_address(struct milter_out *o, const struct policy_request *q)
{
	char text[ADDR_TEXT];
	unsigned long port = 0;
	struct addr a;

	if (addr_parse(q->client_address, &a) != NULL) {
		milter_put(o, "U", 1);
		return;
	}
	if (num_parse(q->client_port, 0, 65535, &port) != NULL)
		port = 0;
	addr_format(&a, text);
	milter_put(o, addr_is_v4(&a) ? "4" : "6", 1);
	milter_put_u16(o, (unsigned)port);
	milter_put_text(o, text);
}

static struct milter_verdict tell_connect(struct milter_session *s)
{
	struct milter_out o;

	if (!milter_wants(s, MILTER_NO_CONNECT))
		return go;
	milter_tell_begin(s, &o, MILTER_CONNECT, MILTER_AT_CONNECT);
	milter_put_text(&o, s->q->client_name[0] == '\0' ? "unknown" : s->q->client_name);
	put_address(&o, s->q);
	return milter_tell(s, &o, MILTER_QUIET_CONNECT, s->config->command_ms);
}

static struct milter_verdict tell_helo(struct milter_session *s)
{
	struct milter_out o;

	if (!milter_wants(s, MILTER_NO_HELO))
		return go;
	milter_tell_begin(s, &o, MILTER_HELO, MILTER_AT_HELO);
	milter_put_text(&o, s->q->helo);
	return milter_tell(s, &o, MILTER_QUIET_HELO, s->config->command_ms);
}

static bool needs_quotes(const char *local, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)local[i] <= ' ' || strchr("()<>[]:;@\\,\"\x7f", local[i]) != NULL)
			return true;
	return n == 0;
}

/* A request has addresses without the quotes that they need on a line: RFC 5321 section 4.1.2. */
static void put_path(struct milter_out *o, const char *address)
{
	const char *at = strrchr(address, '@');
	const size_t local = at == NULL ? strlen(address) : (size_t)(at - address);
	const bool quoted = address[0] != '\0' && needs_quotes(address, local);

	milter_put(o, quoted ? "<\"" : "<", quoted ? 2 : 1);
	for (size_t i = 0; i < local; i++) {
		if (address[i] == '"' || address[i] == '\\')
			milter_put(o, "\\", 1);
		milter_put(o, &address[i], 1);
	}
	milter_put(o, "\"", quoted ? 1 : 0);
	milter_put(o, address + local, strlen(address + local));
	milter_put_text(o, ">");
}

/* Each a text of its own. */
static void put_parameters(struct milter_out *o, const char *p)
{
	for (p += strspn(p, " "); *p != '\0'; p += strspn(p, " ")) {
		const size_t n = strcspn(p, " ");

		milter_put_text_n(o, p, n);
		p += n;
	}
}

static struct milter_verdict tell_mail(struct milter_session *s)
{
	struct milter_out o;

	if (!milter_wants(s, MILTER_NO_MAIL))
		return go;
	milter_tell_begin(s, &o, MILTER_MAIL, MILTER_AT_MAIL);
	put_path(&o, s->q->sender);
	put_parameters(&o, s->q->sender_parameters);
	return milter_tell(s, &o, MILTER_QUIET_MAIL, s->config->command_ms);
}

static struct milter_verdict tell_rcpt(struct milter_session *s)
{
	struct milter_out o;

	s->has_rcpt = true;
	if (!milter_wants(s, MILTER_NO_RCPT))
		return go;
	milter_tell_begin(s, &o, MILTER_RCPT, MILTER_AT_RCPT);
	put_path(&o, s->q->recipient);
	put_parameters(&o, s->q->recipient_parameters);
	return milter_tell(s, &o, MILTER_QUIET_RCPT, s->config->command_ms);
}

static struct milter_verdict tell_data(struct milter_session *s)
{
	struct milter_out o;

	if (s->link.agreed.version < MILTER_VERSION_DATA || !milter_wants(s, MILTER_NO_DATA))
		return go;
	milter_tell_begin(s, &o, MILTER_DATA, MILTER_AT_DATA);
	return milter_tell(s, &o, MILTER_QUIET_DATA, s->config->command_ms);
}

/* ---- stages --------------------------------------------------------------------------------------------- */

void milter_session_quit(struct milter_session *s)
{
	milter_link_close(&s->link);
	s->greeted = s->in_message = s->begun = false;
	s->messages = 0;
	s->session = s->message = go;
}

static void greet(struct milter_session *s)
{
	struct milter_options offer;

	if (s->greeted && s->q->stage == POLICY_CONNECT)
		milter_session_quit(s);
	if (s->greeted)
		return;
	milter_offer(&offer, s->config->version, s->config->chunk);
	offer.steps &=
		~(uint32_t)MILTER_WANTS_REFUSED; /* no policy hears of recipients that smtpd refused */
	milter_link_open(&s->link, &offer);
	s->greeted = true;
	s->helo[0] = '\0';
	s->session = tell_connect(s);
}

/* A second one comes after STARTTLS. */
static void hello(struct milter_session *s)
{
	const char *helo = s->q->helo;

	if (s->session.kind != MILTER_GO || helo[0] == '\0' ||
		(s->q->stage != POLICY_HELO && strncmp(s->helo, helo, sizeof s->helo - 1) == 0))
		return;
	strncpy(s->helo, helo, sizeof s->helo - 1);
	s->session = tell_helo(s);
}

static void abort_message(struct milter_session *s)
{
	struct milter_out o;

	if (s->in_message) {
		milter_link_begin(&s->link, &o, MILTER_ABORT);
		milter_link_end(&s->link, &o);
		milter_link_send(&s->link, s->config->command_ms);
	}
	s->in_message = false;
}

static void begin_message(struct milter_session *s)
{
	if (s->q->stage != POLICY_MAIL && s->begun)
		return;
	abort_message(s);
	if (s->q->stage == POLICY_MAIL || s->ended)
		milter_message_forget(s);
	s->begun = true;
	s->has_rcpt = false;
	s->messages++;
	s->message = s->session;
	if (s->session.kind == MILTER_GO) {
		s->in_message = true;
		s->message = tell_mail(s);
	}
}

/* What is said of one recipient holds for that one, unless it is about the message. */
static struct milter_verdict recipient(struct milter_session *s)
{
	struct milter_verdict v;

	if (s->message.kind != MILTER_GO)
		return s->message;
	v = tell_rcpt(s);
	if (v.kind != MILTER_REFUSE)
		s->message = v;
	return v;
}

/* Libmilter takes DATA without RCPT for a mistake, and does not answer. */
static void check_recipients(const struct milter_session *s)
{
	if (s->message.kind == MILTER_GO && !s->has_rcpt && milter_wants(s, MILTER_NO_RCPT))
		die(EXIT_PERMANENT,
			"not asked about recipients: rcpt is missing in the stages of this policy");
}

static struct milter_verdict hear(struct milter_session *s)
{
	const enum policy_stage stage = s->q->stage;

	greet(s);
	if (stage != POLICY_CONNECT)
		hello(s);
	if (stage == POLICY_CONNECT || stage == POLICY_HELO)
		return s->session.kind == MILTER_THROW ? go : s->session; /* MAIL will say it */
	begin_message(s);
	if (stage == POLICY_MAIL)
		return s->message;
	if (stage == POLICY_RCPT)
		return recipient(s);
	check_recipients(s);
	if (stage == POLICY_DATA && s->message.kind == MILTER_GO)
		s->message = tell_data(s);
	return s->message;
}

void milter_session_answer(void *arg, const struct policy_request *q, struct policy_answer *a)
{
	struct milter_session *s = arg;

	s->q = q;
	s->said = hear(s);
	if (q->stage == POLICY_END) {
		milter_message_end(s, a);
		s->begun = false;
		s->ended = true;
	} else {
		milter_message_answer(&s->said, a);
	}
}

void milter_session_told(void *arg, const struct policy_request *q)
{
	struct milter_session *s = arg;

	if (q->stage == POLICY_CLOSE)
		milter_session_quit(s);
	else
		abort_message(s);
	s->begun = false;
	milter_message_forget(s);
}

void milter_session_text(void *arg, const char *p, size_t n)
{
	struct milter_session *s = arg;

	if (s->ended)
		milter_message_forget(s);
	if (spool_put(&s->text, p, n) == -1)
		die(EXIT_TEMPORARY, "unable to keep the message: %s", errtext(errno));
}

ssize_t milter_session_message(void *arg, char *p, size_t n)
{
	return milter_message_give(arg, p, n);
}
