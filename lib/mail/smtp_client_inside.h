/* mail/smtp_client_inside.h - what the files of the client share: smtp_client.c (replies, commands, the text),
 * smtp_client_hello.c (who we are), smtp_client_envelope.c (who a message is for). Nobody else includes it.
 *
 * Source  RFC 5321 section 4.5.3.2 for the times: of the last two, the first is for the reply to DATA, the other for
 *         that to the dot. */
#ifndef MAIL_SMTP_CLIENT_INSIDE_H
#define MAIL_SMTP_CLIENT_INSIDE_H

#include "mail/smtp_client.h"

enum { SMTP_COMMAND_MS = 5 * 60 * 1000, SMTP_DATA_MS = 2 * 60 * 1000, SMTP_END_MS = 10 * 60 * 1000 };

/* Gathers; smtp_flush sends. Its state stays. */
void smtp_say(struct smtp_client *c, const char *text);
bool smtp_flush(struct smtp_client *c, int stage_ms);

/* The next reply; with its class, else it is nonsense. each hears of every line behind the first. */
enum smtp_outcome smtp_receive(struct smtp_client *c, int stage_ms);
enum smtp_outcome smtp_receive_lines(
	struct smtp_client *c, int stage_ms, void (*each)(struct smtp_client *c, const char *line));
enum smtp_outcome smtp_expect(struct smtp_client *c, int stage_ms, unsigned class);

enum smtp_outcome smtp_ask(struct smtp_client *c, const char *verb, const char *argument);

/* Nothing is read from it any more. A server that hung up with a reason: that is worth more than "hung up". */
enum smtp_outcome smtp_lose(struct smtp_client *c, enum smtp_lost how);
enum smtp_outcome smtp_last_word(struct smtp_client *c);

bool smtp_is_word(const char *p); /* printable, and no blank */

#endif
