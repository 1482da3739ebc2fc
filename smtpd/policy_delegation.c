#include "smtpd/policy_delegation.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"

/* ---- questions ----------------------------------------------------------------------------------------- */

static void put(struct str *out, const char *name, const char *value)
{
	if (strchr(value, '\n') != NULL)
		value = "";
	str_puts(out, name);
	str_putc(out, '=');
	str_puts(out, value);
	str_putc(out, '\n');
}

static void put_number(struct str *out, const char *name, uint64_t n)
{
	str_puts(out, name);
	str_putc(out, '=');
	str_putu(out, n);
	str_putc(out, '\n');
}

static const char *state_of(enum policy_stage stage)
{
	switch (stage) {
	case POLICY_CONNECT:
		return "CONNECT";
	case POLICY_HELO:
		return "EHLO";
	case POLICY_MAIL:
		return "MAIL";
	case POLICY_DATA:
		return "DATA";
	case POLICY_END:
		return "END-OF-MESSAGE";
	default:
		return "RCPT";
	}
}

/* Postfix knows no other words: SMTPUTF8 and TLS have names of their own. */
static const char *protocol_of(const char *protocol)
{
	return strstr(protocol, "ESMTP") != NULL || strstr(protocol, "UTF8") != NULL ? "ESMTP" : "SMTP";
}

static const char *known(const char *name)
{
	return name[0] != '\0' ? name : "unknown";
}

void policy_delegation_put(struct str *out, const struct policy_request *q, const char *instance)
{
	put(out, "request", "smtpd_access_policy");
	put(out, "protocol_state", state_of(q->stage));
	put(out, "protocol_name", protocol_of(q->protocol));
	put(out, "helo_name", q->helo);
	put(out, "queue_id", "");
	put(out, "sender", q->sender);
	put(out, "recipient", q->recipient);
	put_number(out, "recipient_count", q->stage >= POLICY_DATA ? q->recipients : 0);
	put(out, "client_address", q->client_address);
	put(out, "client_name", known(q->client_name));
	put(out, "reverse_client_name", known(q->client_name));
	put(out, "client_port", q->client_port);
	put(out, "server_address", q->server_address);
	put(out, "server_port", q->server_port);
	put(out, "instance", instance);
	put_number(out, "size", q->bytes != 0 ? q->bytes : q->size);
	put(out, "sasl_username", q->user);
	put(out, "encryption_protocol", q->tls_version);
	put(out, "encryption_cipher", q->tls_cipher);
	put(out, "ccert_fingerprint", q->tls_fingerprint);
	str_putc(out, '\n');
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static const char *refuse(struct policy_answer *a, enum policy_action action, unsigned code, char *text)
{
	a->action = action;
	a->code = code;
	a->text = policy_take_status(text, &a->status);
	return NULL;
}

static const char *prepend(struct policy_answer *a, const char *header)
{
	const char *wrong = policy_check_header(header);

	a->action = POLICY_CONTINUE;
	if (wrong == NULL && !policy_items_add(&a->header, header))
		wrong = "too many headers";
	return wrong;
}

/* "4NN text", "5NN text". 421 and 521 end the session, as in Postfix. */
static const char *take_code(struct policy_answer *a, unsigned code, char *text)
{
	const bool ends = code == 421 || code == 521;

	return refuse(a, ends ? POLICY_DROP : code >= 500 ? POLICY_REJECT : POLICY_DEFER, code, text);
}

/* What smtpd cannot do is not passed over: an administrator who holds mail back wants it held. */
static const char *take_action(struct policy_answer *a, const char *word, char *text)
{
	static const char *const through[] = { "DUNNO", "OK", "INFO", "WARN", "PERMIT" };
	static const char *const later[] = { "DEFER", "DEFER_IF_PERMIT", "DEFER_IF_REJECT" };
	unsigned long code;

	for (size_t i = 0; i < sizeof through / sizeof through[0]; i++)
		if (strcasecmp(word, through[i]) == 0) {
			a->action = POLICY_CONTINUE;
			return NULL;
		}
	for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
		if (strcasecmp(word, later[i]) == 0)
			return refuse(a, POLICY_DEFER, 450, text);
	if (strcasecmp(word, "REJECT") == 0)
		return refuse(a, POLICY_REJECT, 554, text);
	if (strcasecmp(word, "DISCARD") == 0) {
		a->action = POLICY_DISCARD;
		return NULL;
	}
	if (strcasecmp(word, "PREPEND") == 0)
		return prepend(a, text);
	if (num_parse(word, 400, 599, &code) == NULL)
		return take_code(a, (unsigned)code, text);
	if (num_parse(word, 0, UINT32_MAX, &code) == NULL) {
		a->action = POLICY_CONTINUE; /* access(5): all numbers are OK */
		return NULL;
	}
	return "an action that smtpd cannot do (HOLD, FILTER, REDIRECT, BCC or the name of a restriction)";
}

const char *policy_delegation_take(char *block, size_t n, struct policy_answer *a)
{
	static const char name[] = "action=";
	char *const lf = memchr(block, '\n', n);
	char *word = block + sizeof name - 1, *text;

	policy_answer_init(a);
	if (lf == NULL || memchr(block, '\0', n) != NULL || (size_t)(lf - block) < sizeof name - 1 ||
		memcmp(block, name, sizeof name - 1) != 0)
		return "an answer does not begin with action=";
	if ((size_t)(lf - block) + 2 != n)
		return "an answer has more than one line";
	*lf = '\0';
	text = word + strcspn(word, " \t");
	if (*text != '\0')
		*text++ = '\0';
	return take_action(a, word, text + strspn(text, " \t"));
}
