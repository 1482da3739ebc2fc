/* base/err.h - say what is wrong, in one line on descriptor 2, and end with the right code.
 *
 * Shape   "NAME: fatal: TEXT\n" and "NAME: warning: TEXT\n", one write(2) each, at most ERR_LINE bytes.
 * Source  exit codes: qmail-command(8), tcpserver(1); 100 is for ever, 111 may work later. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

struct sink;

enum { EXIT_PERMANENT = 100, EXIT_TEMPORARY = 111 };
enum { ERR_LINE = 1024 };

void err_name(const char *program); /* the NAME of all lines; not copied */
void err_silence(bool silent);      /* true: die and warn print nothing (tcpserver -q) */

void err_sink(
	struct sink *to); /* lines of die and warn join those, instead of descriptor 2; NULL: they do not */

/* Ends the process at once (_exit: nothing here is left to be flushed). */
_Noreturn void die(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void die_usage(const char *usage); /* prints the text as it stands, exit 100 */

/* As the only argument: "--help" prints the text on descriptor 1, "--version" the version; both exit 0. */
void err_option(int argc, char **argv, const char *help);

void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
