/* command.h - lines in, replies out: the table of commands and the one loop that reads it.
 *
 * Units   a command line has COMMAND_LINE bytes at most, CR LF included; one that is longer is answered
 *         once, after its end; one that passes COMMAND_DROP bytes without an end ends the session.
 * Source  RFC 5321 sections 4.1.1, 4.1.4 and 4.5.3.1.4; RFC 2920 for when replies are sent. */
#ifndef SMTPD_COMMAND_H
#define SMTPD_COMMAND_H

#include "smtpd/replies.h"
#include "smtpd/session.h"

enum { COMMAND_LINE = 2048, COMMAND_DROP = 64 * 1024 };

/* From the greeting to the end of the session. */
void command_loop(struct session *s);

/* REPLY_NONE: *line has *n bytes, its end removed; it lives until the next read. Else what is wrong with
 * the line (it has been read past), or the session is over. max: bytes of the line, CR LF included. */
enum reply command_read_line(struct session *s, size_t max, const char **line, size_t *n);

/* What a handler gets: the text behind the verb, leading blanks skipped. Not NUL-terminated. */
struct argument {
	const char *p;
	size_t n;
};

enum reply greet_helo(struct session *s, struct argument a);
enum reply greet_ehlo(struct session *s, struct argument a);
enum reply auth_command(struct session *s, struct argument a);
enum reply auth_mail(struct session *s); /* REPLY_NONE: MAIL may come */
enum reply transaction_mail(struct session *s, struct argument a);
enum reply transaction_rcpt(struct session *s, struct argument a);
enum reply transaction_rset(struct session *s, struct argument a);
enum reply starttls(struct session *s, struct argument a);
enum reply xclient(struct session *s, struct argument a);

void transaction_reset(struct session *s);

/* A message has been taken: there is a reason to go on. */
void command_progress(struct session *s);
/* How long the next command is waited for: as for any read (more than 0), but not past half an hour since the
 * session began or a message was taken. 0: that is over. */
int command_wait_ms(int usual_ms, int64_t since_ms) __attribute__((const));

/* The connection does not give another byte: the session is over, with nothing more to say but, at the
 * timeout, that. */
enum reply command_lost(struct session *s);

#endif
