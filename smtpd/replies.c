#include "smtpd/replies.h"

#include <string.h>
#include <time.h>

#include "base/num.h"
#include "base/str.h"
#include "smtpd/policy_ask.h"
#include "smtpd/session.h"

/* A reply line has 512 octets at most, its CR LF included: RFC 5321 section 4.5.3.1.5. */
enum { LINE_MAX_BYTES = 512 };

static const struct {
	unsigned short code;
	const char *status; /* enhanced status code; NULL: none, as RFC 2034 section 4 has it */
	const char *words;
	const char *reason;
} replies[] = {
	[REPLY_GREETING] = { 220, NULL, " ESMTP", "" },
	[REPLY_HELO] = { 250, NULL, "", "" },
	[REPLY_OK] = { 250, "2.0.0", "ok", "" },
	[REPLY_SENDER_OK] = { 250, "2.1.0", "ok", "" },
	[REPLY_RECIPIENT_OK] = { 250, "2.1.5", "ok", "" },
	[REPLY_FLUSHED] = { 250, "2.0.0", "flushed", "" },
	[REPLY_VRFY] = { 252, "2.5.0", "send some mail, i'll try my best", "" },
	[REPLY_HELP] = { 214, "2.0.0", "portero: SMTP as in RFC 5321; the manual is smtpd(8)", "" },
	[REPLY_BYE] = { 221, "2.0.0", "", "" },
	[REPLY_GO_AHEAD] = { 354, NULL, "go ahead", "" },
	[REPLY_CHUNK] = { 250, "2.0.0", "ok", "" },
	[REPLY_QUEUED] = { 250, "2.0.0", "ok", "queued" },
	[REPLY_START_TLS] = { 220, "2.0.0", "ready to start TLS", "" },
	[REPLY_NO_TLS] = { 454, "4.7.0", "TLS not available (#4.7.0)", "tls" },
	[REPLY_TLS_TWICE] = { 503, "5.5.1", "TLS is on already (#5.5.1)", "order" },
	[REPLY_TALKED_BEHIND_TLS] = { 554, "5.7.0", "text behind STARTTLS, closing (#5.7.0)", "injection" },
	[REPLY_TIMEOUT] = { 451, "4.4.2", "timeout (#4.4.2)", "timeout" },
	[REPLY_NO_CONTROLS] = { 421, NULL, "unable to read controls (#4.3.0)", "controls" },
	[REPLY_NO_SANDBOX] = { 421, NULL, "unable to lock myself (#4.3.0)", "sandbox" },
	[REPLY_TOO_MANY_ERRORS] = { 421, "4.7.0", "too many errors, closing (#4.7.0)", "errors" },
	[REPLY_TOO_MANY_REFUSED] = { 421, "4.7.0", "too many refused recipients, closing (#4.7.0)",
		"recipients" },
	[REPLY_TALKED_FIRST] = { 554, "5.5.0", "you talked before my greeting (#5.5.0)", "early" },
	[REPLY_NO_PROGRESS] = { 421, "4.4.2", "no message for a long time, closing (#4.4.2)", "idle" },
	[REPLY_TOO_SLOW] = { 421, "4.4.2", "text comes too slowly, closing (#4.4.2)", "slow" },
	[REPLY_NOT_SMTP] = { 421, "4.7.0", "this is SMTP, closing (#4.7.0)", "not-smtp" },
	[REPLY_UNKNOWN] = { 502, "5.5.1", "unimplemented (#5.5.1)", "unknown-command" },
	[REPLY_TOO_LONG] = { 500, "5.5.2", "line too long (#5.5.2)", "line-too-long" },
	[REPLY_NEVER_ENDS] = { 421, "4.7.0", "line has no end, closing (#4.7.0)", "line-without-end" },
	[REPLY_BARE_LF_LINE] = { 500, "5.5.2", "command lines must end in CR LF (#5.5.2)", "bare-lf" },
	[REPLY_CONTROL_BYTE] = { 501, "5.5.2", "control byte in command (#5.5.2)", "control-byte" },
	[REPLY_NEEDS_ARGUMENT] = { 501, "5.5.4", "argument missing (#5.5.4)", "syntax" },
	[REPLY_TAKES_NO_ARGUMENT] = { 501, "5.5.4", "no argument is allowed (#5.5.4)", "syntax" },
	[REPLY_BAD_SENDER] = { 501, "5.1.7", "bad sender address (#5.1.7)", "syntax" },
	[REPLY_BAD_RECIPIENT] = { 501, "5.1.3", "bad recipient address (#5.1.3)", "syntax" },
	[REPLY_BAD_PARAMETER] = { 501, "5.5.4", "bad value of parameter (#5.5.4)", "parameter" },
	[REPLY_UNKNOWN_PARAMETER] = { 555, "5.5.4", "parameter not known (#5.5.4)", "parameter" },
	[REPLY_NEEDS_UTF8] = { 553, "5.6.7", "address beyond ASCII: say SMTPUTF8 with MAIL (#5.6.7)",
		"utf8" },
	[REPLY_MAIL_FIRST] = { 503, "5.5.1", "MAIL first (#5.5.1)", "order" },
	[REPLY_RCPT_FIRST] = { 503, "5.5.1", "RCPT first (#5.5.1)", "order" },
	[REPLY_MAIL_TWICE] = { 503, "5.5.1", "one MAIL at a time: RSET first (#5.5.1)", "order" },
	[REPLY_TEXT_BEGUN] = { 503, "5.5.1", "the text has begun: BDAT or RSET (#5.5.1)", "order" },
	[REPLY_NEEDS_BDAT] = { 503, "5.5.1", "BINARYMIME goes with BDAT (#5.5.1)", "order" },
	[REPLY_BAD_CHUNK] = { 521, "5.5.4", "BDAT wants a size, and LAST or nothing; closing (#5.5.4)",
		"syntax" },
	[REPLY_NOT_ALLOWED] = { 550, "5.7.0", "not for you (#5.7.0)", "not-allowed" },
	[REPLY_TOO_MANY_RECIPIENTS] = { 452, "4.5.3", "too many recipients (#4.5.3)", "recipients" },
	[REPLY_SIZE] = { 552, "5.3.4", "sorry, that message size exceeds my databytes limit (#5.3.4)",
		"size" },
	[REPLY_BADMAILFROM] = { 553, "5.7.1",
		"sorry, your envelope sender is in my badmailfrom list (#5.7.1)", "badmailfrom" },
	[REPLY_BADRCPTTO] = { 553, "5.7.1", "sorry, this address is in my badrcptto list (#5.7.1)",
		"badrcptto" },
	[REPLY_RCPTHOSTS] = { 553, "5.7.1",
		"sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "rcpthosts" },
	[REPLY_RCPTHOSTS_UNREADABLE] = { 451, "4.3.0", "unable to read controls (#4.3.0)", "controls" },
	[REPLY_LISTED] = { 553, "5.7.1", "", "listed" },
	[REPLY_LISTED_LATER] = { 451, "4.7.1", "", "listed" },
	[REPLY_POLICY] = { 550, "5.7.1", "", "policy" },
	[REPLY_BARRED] = { 503, "5.5.1", "you were refused: QUIT (#5.5.1)", "barred" },
	[REPLY_HOPS] = { 554, "5.4.6", "too many hops, this message is looping (#5.4.6)", "hops" },
	[REPLY_BARE_NEWLINE] = { 550, "5.6.11", "lines must end in CR LF (#5.6.11)", "bare-newline" },
	[REPLY_STRAY_NEWLINE] = { 451, "4.6.0", "See http://pobox.com/~djb/docs/smtplf.html.",
		"bare-newline" },
	[REPLY_EHLO_FIRST] = { 503, "5.5.1", "EHLO first (#5.5.1)", "order" },
	[REPLY_AUTH_USER] = { 334, NULL, "VXNlcm5hbWU6", "" },
	[REPLY_AUTH_PASSWORD] = { 334, NULL, "UGFzc3dvcmQ6", "" },
	[REPLY_AUTH_PLAIN] = { 334, NULL, "", "" },
	[REPLY_AUTH_OK] = { 235, "2.7.0", "ok, go ahead (#2.0.0)", "ok" },
	[REPLY_AUTH_CANCELLED] = { 501, "5.7.0", "auth exchange canceled (#5.7.0)", "auth-cancelled" },
	[REPLY_AUTH_BASE64] = { 501, "5.5.2", "malformed auth input: not base64 (#5.5.2)", "syntax" },
	[REPLY_AUTH_SYNTAX] = { 501, "5.5.2", "malformed auth input (#5.5.2)", "syntax" },
	[REPLY_AUTH_MECHANISM] = { 504, "5.5.4", "auth type unimplemented (#5.5.4)", "auth-type" },
	[REPLY_AUTH_WRONG] = { 535, "5.7.8", "authentication failed (#5.7.8)", "auth" },
	[REPLY_AUTH_FAILURES] = { 421, "4.7.0", "too many failed authentications, closing (#4.7.0)",
		"auth-failures" },
	[REPLY_AUTH_TROUBLE] = { 454, "4.7.0", "oops, unable to check that now (#4.7.0)", "checker" },
	[REPLY_AUTH_NEEDS_TLS] = { 538, "5.7.11", "encryption required: STARTTLS first (#5.7.11)",
		"auth-without-tls" },
	[REPLY_AUTH_NO] = { 503, "5.5.1", "auth not available (#5.5.1)", "auth-not-offered" },
	[REPLY_AUTH_TWICE] = { 503, "5.5.1", "you're already authenticated (#5.5.1)", "order" },
	[REPLY_AUTH_IN_MAIL] = { 503, "5.5.1", "no auth during mail transaction (#5.5.1)", "order" },
	[REPLY_AUTH_REQUIRED] = { 530, "5.7.0", "authentication required (#5.7.0)", "auth-required" },
	[REPLY_AUTH_SETTING] = { 451, "4.3.0", "unable to read controls (#4.3.0)", "controls" },
	[REPLY_QUEUE] = { 451, "4.3.0", "", "queue" },
};

int reply_code(enum reply r)
{
	return replies[r].code;
}

int reply_code_now(const struct session *s, enum reply r)
{
	return r == REPLY_POLICY ? (int)policy_ask_said(s)->code : reply_code(r);
}

const char *reply_reason(enum reply r)
{
	return replies[r].reason;
}

bool reply_is_listing(enum reply r)
{
	return r == REPLY_LISTED || r == REPLY_LISTED_LATER;
}

bool reply_blames(enum reply r)
{
	switch (r) {
	case REPLY_TALKED_FIRST:
	case REPLY_TALKED_BEHIND_TLS:
	case REPLY_NOT_SMTP:
	case REPLY_NEVER_ENDS:
	case REPLY_TOO_MANY_ERRORS:
	case REPLY_TOO_MANY_REFUSED:
	case REPLY_AUTH_FAILURES:
		return true;
	default:
		return false;
	}
}

/* One line, whatever its parts: cut rather than over the limit, and nothing unprintable. */
static void put_line(struct session *s, unsigned code, char more, const char *status, const char *words)
{
	char memory[LINE_MAX_BYTES + 1];
	struct str line;
	size_t room;

	str_init(&line, memory, sizeof memory);
	str_putu(&line, code);
	str_putc(&line, more);
	if (status != NULL && s->esmtp) {
		str_puts(&line, status);
		str_putc(&line, ' ');
	}
	room = LINE_MAX_BYTES - 2 - line.len;
	str_put_printable(&line, words, strnlen(words, room));
	str_puts(&line, "\r\n");
	(void)io_put(&s->out, line.s, line.len); /* sticky: the next read tells */
}

void reply_put_line(struct session *s, char more, const char *text)
{
	put_line(s, replies[REPLY_HELO].code, more, NULL, text);
}

void reply_put(struct session *s, enum reply r)
{
	char memory[LINE_MAX_BYTES];
	struct str words;
	bool named = r == REPLY_GREETING || r == REPLY_HELO || r == REPLY_BYE;

	if (r == REPLY_NONE)
		return;
	if (r == REPLY_POLICY) {
		const struct policy_said *said = policy_ask_said(s);

		put_line(s, said->code, ' ', said->status, said->words);
		return;
	}
	str_init(&words, memory, sizeof memory);
	if (named)
		str_puts(&words, s->set->greeting != NULL ? s->set->greeting : "");
	str_puts(&words, reply_is_listing(r) ? s->listing->text : replies[r].words);
	if (s->detail[0] != '\0') {
		str_puts(&words, ": ");
		str_puts(&words, s->detail);
		s->detail[0] = '\0';
	}
	put_line(s, replies[r].code, ' ', replies[r].status, words.s);
}

/* The status that stands in the words, "... (#4.3.0)", if its class is the code's. */
static bool find_status(const char *words, char class, char *status, size_t cap)
{
	const char *mark = strstr(words, "(#");
	const char *end = mark != NULL ? strchr(mark, ')') : NULL;
	size_t n;

	if (end == NULL || mark[2] != class)
		return false;
	n = (size_t)(end - mark) - 2;
	if (n >= cap || strspn(mark + 2, "0123456789.") < n)
		return false;
	memcpy(status, mark + 2, n);
	status[n] = '\0';
	return true;
}

void reply_put_answer(struct session *s, const struct door_answer *a)
{
	char status[16], memory[LINE_MAX_BYTES];
	struct str words;

	if (a->letter != 'K') {
		if (!find_status(a->text, a->letter == 'D' ? '5' : '4', status, sizeof status))
			memcpy(status, a->letter == 'D' ? "5.3.0" : "4.3.0", sizeof "5.3.0");
		put_line(s, a->letter == 'D' ? 554 : 451, ' ', status, a->text);
		return;
	}
	str_init(&words, memory, sizeof memory);
	str_puts(&words, replies[REPLY_QUEUED].words);
	str_putc(&words, ' ');
	str_putu(&words, (unsigned long)time(NULL));
	str_puts(&words, " qp ");
	str_putu(&words, s->door->qp);
	put_line(s, replies[REPLY_QUEUED].code, ' ', replies[REPLY_QUEUED].status, words.s);
}
