#include "smtpd/auth.h"

#include <poll.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/str.h"
#include "mail/base64.h"
#include "smtpd/command.h"
#include "smtpd/event.h"

/* ---- whether ------------------------------------------------------------------------------------------- */

enum offer { OFFER_NO, OFFER_NEEDS_TLS, OFFER_YES };

static enum offer offer(const struct session *s)
{
	const struct auth_words *w = &s->set->auth;
	const char *port = s->ucspi[UCSPI_LOCALPORT];

	if (s->checker == NULL || s->checker->broker.sock == -1 || w->never || w->wrong)
		return OFFER_NO;
	if (!w->given && port != NULL && strcmp(port, "25") == 0)
		return OFFER_NO;
	return s->tls.on || w->clear ? OFFER_YES : OFFER_NEEDS_TLS;
}

bool auth_is_offered(const struct session *s)
{
	return offer(s) == OFFER_YES && s->user == NULL;
}

void auth_put(const struct session *s, struct str *line)
{
	str_puts(line, (s->set->auth.mechanisms & AUTH_PLAIN) != 0 ? " PLAIN" : "");
	str_puts(line, (s->set->auth.mechanisms & AUTH_LOGIN) != 0 ? " LOGIN" : "");
}

enum reply auth_mail(struct session *s)
{
	if (s->set->auth.wrong) {
		event_trouble(s, "SMTPAUTH", "a word in it is not known: see smtpd(8)");
		return REPLY_AUTH_SETTING;
	}
	return s->set->auth.require && s->user == NULL ? REPLY_AUTH_REQUIRED : REPLY_NONE;
}

void auth_grant(struct session *s)
{
	if (s->relay != NULL)
		return;
	s->relay = "";
	s->auth.grants = true;
}

void auth_forget(struct session *s)
{
	s->user = NULL;
	if (s->auth.grants)
		s->relay = NULL;
	s->auth.grants = false;
	told_clear(&s->told);
}

/* ---- the exchange -------------------------------------------------------------------------------------- */

enum { EXCHANGE_BYTES = 2 * CHECKER_BYTES };

/* What the client sent, decoded, and in the end what a checker gets. Longer things are only counted. */
struct exchange {
	char bytes[EXCHANGE_BYTES + 4]; /* some NULs more */
	size_t len;
	size_t user;     /* where the name begins; its NUL is there */
	size_t password; /* where the password begins; it ends at len */
	bool too_long;
	bool for_another; /* the client wants to act as somebody else */
};

/* What an answer means goes behind what is there, and a NUL behind it. */
static enum reply take(struct exchange *x, const char *p, size_t n)
{
	const size_t room = x->len < EXCHANGE_BYTES ? EXCHANGE_BYTES - x->len : 0;
	size_t len;

	if (n == 1 && p[0] == '*')
		return REPLY_AUTH_CANCELLED;
	if (base64_decode(p, n, x->bytes + x->len, room, &len) != NULL)
		return REPLY_AUTH_BASE64;
	if (len > room) {
		x->too_long = true;
		len = room;
	}
	x->len += len;
	x->bytes[x->len] = '\0';
	return REPLY_NONE;
}

static enum reply ask(struct session *s, struct exchange *x, enum reply prompt)
{
	const char *line;
	size_t n;
	enum reply r;

	reply_put(s, prompt);
	r = command_read_line(s, AUTH_LINE, &line, &n);
	if (r != REPLY_NONE || s->over)
		return r;
	return take(x, line, n);
}

/* a: the initial response, which may be missing; "=" is an empty one. */
static enum reply begin(struct session *s, struct exchange *x, struct argument a, enum reply prompt)
{
	if (a.n == 0)
		return ask(s, x, prompt);
	return a.n == 1 && a.p[0] == '=' ? take(x, "", 0) : take(x, a.p, a.n);
}

/* [authzid] NUL authcid NUL passwd: RFC 4616 section 2. */
static enum reply plain(struct session *s, struct exchange *x, struct argument a)
{
	const char *first, *second;
	const enum reply r = begin(s, x, a, REPLY_AUTH_PLAIN);

	if (r != REPLY_NONE || s->over)
		return r;
	first = memchr(x->bytes, '\0', x->len);
	second = first == NULL ? NULL : memchr(first + 1, '\0', x->len - (size_t)(first + 1 - x->bytes));
	if (second == NULL)
		return x->too_long ? REPLY_NONE : REPLY_AUTH_SYNTAX;
	x->user = (size_t)(first + 1 - x->bytes);
	x->password = (size_t)(second + 1 - x->bytes);
	if (memchr(x->bytes + x->password, '\0', x->len - x->password) != NULL)
		return REPLY_AUTH_SYNTAX;
	x->for_another = x->bytes[0] != '\0' && strcmp(x->bytes, x->bytes + x->user) != 0;
	return REPLY_NONE;
}

static enum reply login(struct session *s, struct exchange *x, struct argument a)
{
	enum reply r = begin(s, x, a, REPLY_AUTH_USER);

	if (r != REPLY_NONE || s->over)
		return r;
	if (memchr(x->bytes, '\0', x->len) != NULL)
		return REPLY_AUTH_SYNTAX;
	if (!x->too_long)
		x->len++; /* its NUL */
	x->password = x->len;
	r = ask(s, x, REPLY_AUTH_PASSWORD);
	if (r == REPLY_NONE && !s->over &&
		memchr(x->bytes + x->password, '\0', x->len - x->password) != NULL)
		return REPLY_AUTH_SYNTAX;
	return r;
}

static const struct mechanism {
	const char *name;
	enum auth_mechanism bit;
	enum reply (*run)(struct session *s, struct exchange *x, struct argument a);
} mechanisms[] = {
	{ "PLAIN", AUTH_PLAIN, plain },
	{ "LOGIN", AUTH_LOGIN, login },
};

/* Takes its name off the argument. */
static const struct mechanism *find(const struct session *s, struct argument *a)
{
	const char *blank = memchr(a->p, ' ', a->n);
	const size_t n = blank != NULL ? (size_t)(blank - a->p) : a->n;

	for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
		const struct mechanism *m = &mechanisms[i];

		if (strlen(m->name) != n || strncasecmp(a->p, m->name, n) != 0 ||
			(s->set->auth.mechanisms & m->bit) == 0)
			continue;
		for (a->p += n, a->n -= n; a->n > 0 && a->p[0] == ' '; a->p++)
			a->n--;
		return m;
	}
	return NULL;
}

/* ---- the verdict --------------------------------------------------------------------------------------- */

static bool has_control_byte(const char *text)
{
	for (; *text != '\0'; text++)
		if ((*text > 0 && *text < ' ') || *text == 0x7f)
			return true;
	return false;
}

/* Nobody has such a name or such a password, so no checker is asked. An empty password is one that some directories
 * take for "anybody". */
static bool is_hopeless(const struct exchange *x)
{
	const char *user = x->bytes + x->user;

	return x->too_long || x->for_another || user[0] == '\0' || x->password == x->len ||
	       strlen(user) > AUTH_NAME || x->len + 2 - x->user > CHECKER_BYTES || has_control_byte(user);
}

static enum checker_says verdict(struct session *s, struct exchange *x, const char **why)
{
	if (is_hopeless(x))
		return CHECKER_WRONG;
	memset(x->bytes + x->len, 0, 2); /* the password's NUL, and an empty timestamp with its own */
	return checker_ask(s->checker, s->tls.on, x->bytes + x->user, x->len + 2 - x->user, why);
}

/* Whoever measures learns nothing of whether a user exists, unless that takes a checker a whole delay more. */
static void wait_for_turn(const struct checker *c, int64_t start_ms)
{
	int64_t deadline_ms;
	int left;

	if (c->delay_ms == 0)
		return;
	deadline_ms = start_ms + ((clock_ms() - start_ms) / c->delay_ms + 1) * c->delay_ms;
	while ((left = clock_left_ms(deadline_ms)) > 0)
		poll(NULL, 0, left);
}

static void remember_name(struct session *s, const char *user)
{
	const size_t n = strnlen(user, AUTH_NAME);

	memcpy(s->auth.tried, user, n);
	s->auth.tried[n] = '\0';
}

static enum reply accept_user(struct session *s, const char *mechanism)
{
	if (!told_add(&s->told, "SMTPAUTHUSER", s->auth.tried) ||
		!told_add(&s->told, "TCPREMOTEINFO", s->auth.tried) ||
		(s->relay == NULL && !told_add(&s->told, "RELAYCLIENT", "")))
		return REPLY_AUTH_TROUBLE;
	memcpy(s->auth.user, s->auth.tried, sizeof s->auth.user);
	s->user = s->auth.user;
	auth_grant(s);
	event_auth(s, mechanism);
	return REPLY_AUTH_OK;
}

static enum reply refuse_user(struct session *s)
{
	s->auth.failures++;
	if (s->auth.failures < AUTH_FAILURES)
		return REPLY_AUTH_WRONG;
	event_refused(s, REPLY_AUTH_WRONG);
	s->over = true;
	return REPLY_AUTH_FAILURES;
}

static enum reply judge(struct session *s, struct exchange *x, const char *mechanism)
{
	const int64_t start_ms = clock_ms();
	const char *why = "";

	remember_name(s, x->bytes + x->user);
	switch (verdict(s, x, &why)) {
	case CHECKER_GOOD:
		return accept_user(s, mechanism);
	case CHECKER_WRONG:
		wait_for_turn(s->checker, start_ms);
		return refuse_user(s);
	case CHECKER_TROUBLE:
		break;
	}
	event_trouble(s, "checker", why);
	return REPLY_AUTH_TROUBLE;
}

/* What has been read, and what io_fill left behind when it moved that to the front. */
static void wipe_input(struct session *s)
{
	explicit_bzero(s->in.buf, s->in.from);
	explicit_bzero(s->in.buf + s->in.to, s->in.cap - s->in.to);
}

static enum reply exchange(struct session *s, const struct mechanism *m, struct argument a)
{
	struct exchange x = { .len = 0 };
	enum reply r = m->run(s, &x, a);

	wipe_input(s);
	if (r == REPLY_NONE && !s->over)
		r = judge(s, &x, m->name);
	explicit_bzero(&x, sizeof x);
	return r;
}

static enum reply may_begin(const struct session *s)
{
	if (s->state != STATE_IDLE)
		return REPLY_AUTH_IN_MAIL;
	if (!s->esmtp)
		return REPLY_EHLO_FIRST;
	if (s->user != NULL)
		return REPLY_AUTH_TWICE;
	switch (offer(s)) {
	case OFFER_YES:
		return REPLY_NONE;
	case OFFER_NEEDS_TLS:
		return REPLY_AUTH_NEEDS_TLS;
	case OFFER_NO:
		break;
	}
	return REPLY_AUTH_NO;
}

enum reply auth_command(struct session *s, struct argument a)
{
	const struct mechanism *m;
	enum reply r = may_begin(s);

	s->auth.tried[0] = '\0';
	m = r == REPLY_NONE ? find(s, &a) : NULL;
	if (m != NULL)
		return exchange(s, m, a);
	wipe_input(s); /* a password, perhaps */
	return r == REPLY_NONE ? REPLY_AUTH_MECHANISM : r;
}
