#include "smtpd/milter_macros.h"

#include <string.h>
#include <time.h>

#include "base/house.h"
#include "base/str.h"
#include "mail/header.h"
#include "net/addr.h"

/* What is sent at a stage unless the milter has a list of its own. */
static const char *const usual[MILTER_STAGES] = {
	[MILTER_AT_CONNECT] = "j {daemon_name} {daemon_addr} v _ {client_addr} {client_name} {client_port}",
	[MILTER_AT_HELO] = "{tls_version} {cipher} {cipher_bits}",
	[MILTER_AT_MAIL] = "i {auth_type} {auth_authen} {mail_addr} {mail_host}",
	[MILTER_AT_RCPT] = "i {rcpt_addr} {rcpt_host}",
	[MILTER_AT_DATA] = "i",
	[MILTER_AT_HEADER_END] = "i",
	[MILTER_AT_MESSAGE_END] = "i b",
};

/* Those that a request has as they are. */
#define MEMBER(name, member)                                  \
	{                                                     \
		name, offsetof(struct policy_request, member) \
	}
static const struct {
	const char *name;
	size_t at;
} members[] = {
	MEMBER("auth_authen", user),
	MEMBER("cipher", tls_cipher),
	MEMBER("client_addr", client_address),
	MEMBER("client_port", client_port),
	MEMBER("daemon_addr", server_address),
	MEMBER("daemon_port", server_port),
	MEMBER("mail_addr", sender),
	MEMBER("rcpt_addr", recipient),
	MEMBER("tls_version", tls_version),
};

static void put_client(const struct milter_session *s, struct str *to)
{
	struct addr a;
	const bool v6 = addr_parse(s->q->client_address, &a) == NULL && !addr_is_v4(&a);

	str_puts(to, s->q->client_name[0] == '\0' ? "unknown" : s->q->client_name);
	str_puts(to, v6 ? " [IPv6:" : " [");
	str_puts(to, s->q->client_address);
	str_puts(to, "]");
}

static void put_name(const struct milter_session *s, struct str *to)
{
	str_puts(to, s->q->client_name[0] == '\0' ? "unknown" : s->q->client_name);
}

static void put_host(const struct milter_session *s, struct str *to)
{
	str_puts(to, s->config->name);
}

static void put_version(const struct milter_session *s, struct str *to)
{
	(void)s;
	str_put(to, house_version, strcspn(house_version, "\n"));
}

static void put_id(const struct milter_session *s, struct str *to)
{
	if (s->messages == 0)
		return;
	str_puts(to, s->q->session);
	str_putc(to, '.');
	str_putu(to, s->messages);
}

static void put_date(const struct milter_session *s, struct str *to)
{
	(void)s;
	header_date(to, time(NULL));
}

static void put_domain(const char *address, struct str *to)
{
	const char *at = strrchr(address, '@');

	str_puts(to, at == NULL ? "" : at + 1);
}

static void put_mail_host(const struct milter_session *s, struct str *to)
{
	put_domain(s->q->sender, to);
}

static void put_rcpt_host(const struct milter_session *s, struct str *to)
{
	put_domain(s->q->recipient, to);
}

/* A request does not say by which mechanism; that there was one is what milters look for. */
static void put_auth_type(const struct milter_session *s, struct str *to)
{
	str_puts(to, s->q->user[0] == '\0' ? "" : "PLAIN");
}

/* The names of ciphers say it, and one that does not has 256 bits. */
static void put_bits(const struct milter_session *s, struct str *to)
{
	const char *cipher = s->q->tls_cipher;

	if (strstr(cipher, "128") != NULL)
		str_puts(to, "128");
	else if (strstr(cipher, "256") != NULL || strstr(cipher, "CHACHA20") != NULL)
		str_puts(to, "256");
}

static const struct {
	const char *name;
	void (*put)(const struct milter_session *s, struct str *to);
} made[] = {
	{ "_", put_client },
	{ "auth_type", put_auth_type },
	{ "b", put_date },
	{ "cipher_bits", put_bits },
	{ "client_name", put_name },
	{ "client_ptr", put_name },
	{ "daemon_name", put_host },
	{ "i", put_id },
	{ "j", put_host },
	{ "mail_host", put_mail_host },
	{ "rcpt_host", put_rcpt_host },
	{ "v", put_version },
};

static void put_value(const struct milter_session *s, const char *name, size_t len, struct str *to)
{
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		if (strlen(made[i].name) == len && memcmp(made[i].name, name, len) == 0) {
			made[i].put(s, to);
			return;
		}
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		if (strlen(members[i].name) == len && memcmp(members[i].name, name, len) == 0) {
			const char *text;

			memcpy(&text, (const char *)s->q + members[i].at, sizeof text);
			str_puts(to, text);
			return;
		}
}

/* Names of more than one byte have braces. */
static void put_pair(struct milter_out *o, const char *name, size_t len, const struct str *value)
{
	if (len > 1)
		milter_put(o, "{", 1);
	milter_put(o, name, len);
	milter_put_text(o, len > 1 ? "}" : "");
	milter_put_text(o, value->s);
}

void milter_macros_put(struct milter_session *s, enum milter_stage stage, enum milter_command command)
{
	const char *own = s->link.agreed.symbols[stage], *at = own[0] != '\0' ? own : usual[stage], *name;
	const char letter = (char)command;
	char memory[2048];
	struct milter_out o;
	struct str value;
	bool some = false;
	size_t len;

	milter_link_begin(&s->link, &o, MILTER_MACROS);
	milter_put(&o, &letter, 1);
	while (milter_next_symbol(&at, &name, &len)) {
		str_init(&value, memory, sizeof memory);
		put_value(s, name, len, &value);
		if (value.len == 0 || value.full)
			continue;
		put_pair(&o, name, len, &value);
		some = true;
	}
	if (some)
		milter_link_end(&s->link, &o);
}
