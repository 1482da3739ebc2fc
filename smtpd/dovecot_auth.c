#include "smtpd/dovecot_auth.h"

#include <string.h>

#include "mail/base64.h"
#include "smtpd/checkpassword.h"

/* ---- what is asked ------------------------------------------------------------------------------------- */

/* Addresses and ports: anything else would be a field of its own. */
static bool is_plain(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789abcdefABCDEF.:")] == '\0';
}

static void put_pair(struct str *out, const char *name, const char *value)
{
	if (value == NULL || !is_plain(value))
		return;
	str_putc(out, '\t');
	str_puts(out, name);
	str_putc(out, '=');
	str_puts(out, value);
}

static void put_response(struct str *out, const char *user, const char *password)
{
	char plain[CHECKPASSWORD_BYTES + 1], text[BASE64_LENGTH(sizeof plain)];
	const size_t user_len = strlen(user), password_len = strlen(password);
	const size_t n = user_len + password_len + 2;

	if (n > sizeof plain) {
		out->full = true;
		return;
	}
	plain[0] = '\0'; /* nobody else is to be acted as */
	memcpy(plain + 1, user, user_len + 1);
	memcpy(plain + user_len + 2, password, password_len);
	str_puts(out, "\tresp=");
	str_put(out, text, base64_encode(plain, n, text));
	explicit_bzero(plain, sizeof plain);
	explicit_bzero(text, sizeof text);
}

bool dovecot_question(struct str *out, unsigned long pid, const struct dovecot_client *client,
	const char *user, const char *password)
{
	str_puts(out, "VERSION\t1\t2\nCPID\t");
	str_putu(out, pid);
	str_puts(out, "\nAUTH\t1\tPLAIN\tservice=smtp\tnologin");
	if (client->secured)
		str_puts(out, "\tsecured");
	put_pair(out, "rip", client->remote_ip);
	put_pair(out, "rport", client->remote_port);
	put_pair(out, "lip", client->local_ip);
	put_pair(out, "lport", client->local_port);
	put_response(out, user, password); /* must be the last */
	str_putc(out, '\n');
	return !out->full;
}

/* ---- what is answered ---------------------------------------------------------------------------------- */

/* The next line, its LF a NUL; NULL: there is none. It lives until the next call. */
static char *next_line(struct io_reader *in)
{
	for (;;) {
		char *start = in->buf + in->from;
		char *lf = memchr(start, '\n', in->to - in->from);

		if (lf != NULL) {
			*lf = '\0';
			in->from = (size_t)(lf + 1 - in->buf);
			return start;
		}
		if (in->to - in->from == in->cap || io_fill(in) != IO_OK)
			return NULL;
	}
}

/* Takes the next field off the line; NULL: none is left. */
static char *next_field(char **line)
{
	return strsep(line, "\t");
}

static bool is(const char *field, const char *word)
{
	return field != NULL && strcmp(field, word) == 0;
}

static enum dovecot_says trouble(const struct io_reader *in, const char **why)
{
	*why = in->state == IO_TIMEOUT ? "no answer in time"
	       : in->state == IO_EOF   ? "the server hangs up"
	       : in->state == IO_ERROR ? "unable to read"
				       : "a line that is too long";
	return DOVECOT_TROUBLE;
}

enum dovecot_says dovecot_greeting(struct io_reader *in, const char **why)
{
	bool version = false, plain = false;
	char *line;

	while ((line = next_line(in)) != NULL) {
		const char *command = next_field(&line);

		if (is(command, "VERSION")) {
			version = is(next_field(&line), "1");
		} else if (is(command, "MECH")) {
			plain = plain || is(next_field(&line), "PLAIN");
		} else if (is(command, "DONE")) {
			*why = version ? "the server does not speak PLAIN"
				       : "the server speaks no version 1";
			return version && plain ? DOVECOT_OK : DOVECOT_TROUBLE;
		}
	}
	return trouble(in, why);
}

/* "temp" is what servers before 2.3 say, "code=temp_fail" what later ones say. */
static enum dovecot_says failure(char *line, const char **why)
{
	const char *field;

	while ((field = next_field(&line)) != NULL)
		if (is(field, "temp") || is(field, "code=temp_fail")) {
			*why = "the server has trouble of its own";
			return DOVECOT_TROUBLE;
		}
	return DOVECOT_FAIL;
}

enum dovecot_says dovecot_answer(struct io_reader *in, const char **why)
{
	char *line;

	while ((line = next_line(in)) != NULL) {
		const char *command = next_field(&line);

		if (!is(command, "OK") && !is(command, "FAIL") && !is(command, "CONT"))
			continue; /* whatever later versions tell */
		if (!is(next_field(&line), "1")) {
			*why = "an answer to what was not asked";
			return DOVECOT_TROUBLE;
		}
		if (is(command, "OK"))
			return DOVECOT_OK;
		if (is(command, "FAIL"))
			return failure(line, why);
		*why = "the server asks for more";
		return DOVECOT_TROUBLE;
	}
	return trouble(in, why);
}
