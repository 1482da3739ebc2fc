/* mail/control.h - the files of qmail's control directory.
 *
 * Shape   a line file: its first line, without trailing blanks, tabs and newlines. A number file: the
 *         leading digits of that line. A list file: every line so trimmed, without empty ones and those
 *         that begin with '#'; items are NUL-terminated texts one behind another.
 * Cost    a file is read whole into memory of its size, 64 MiB at most; look-ups in a list are linear.
 * Errors  an enum control. CONTROL_ERROR leaves errno: a file that is there and cannot be read must stop
 *         the caller, never count as missing.
 * Source  qmail-control(5), qmail-smtpd(8). */
#ifndef MAIL_CONTROL_H
#define MAIL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

enum control { CONTROL_MISSING, CONTROL_READ, CONTROL_ERROR };

struct control_list {
	char *items;
	size_t bytes;
};

/* dir is a descriptor of the control directory. *out belongs to the caller, until the process ends or for
 * control_free: most read once and never give back. */
enum control control_line(int dir, const char *name, const char **out);
enum control control_number(int dir, const char *name, unsigned long *out); /* no digits: missing */
enum control control_list(int dir, const char *name, struct control_list *out);

void control_free(const char *text); /* a line, or the items of a list; NULL does nothing */

/* The items of a file's text, which is changed in place; text[n] may be written. */
void control_list_of(char *text, size_t n, struct control_list *out);

bool control_has(const struct control_list *list, const char *item); /* compared without case */

#endif
