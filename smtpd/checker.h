/* checker.h - the program that knows passwords: a checkpassword, asked through a broker.
 *
 * Shape   it gets user NUL password NUL NUL on descriptor 3, and says by its exit code: 0 good, 1 wrong, anything
 *         else trouble. A good one that has not read all of that is not believed: /bin/true is no checker.
 *         0 and 1 are /dev/null, 2 is our log. It and what it starts are killed after a while.
 * Units   CHECKER_BYTES in all, the three NULs too.
 * Source  https://cr.yp.to/checkpwd/interface.html; the empty timestamp of the known patches of qmail-smtpd. */
#ifndef SMTPD_CHECKER_H
#define SMTPD_CHECKER_H

#include "base/broker.h"

enum { CHECKER_BYTES = 512 };

struct checker {
	struct broker broker;
	int timeout_ms;
	int delay_ms; /* answers that say no come at whole multiples of this since the attempt */
};

enum checker_says { CHECKER_GOOD, CHECKER_WRONG, CHECKER_TROUBLE };

/* Of the arguments of smtpd behind its options: the words of the checker, NULL if there is none. A host name in front of it is skipped:
 * qmail-smtpd mx.example.org /bin/checkpassword /bin/true. */
char **checker_words(char **words);

/* NULL, or a sentence. */
const char *checker_open(struct checker *c, char **words, int timeout_ms, bool null_log)
	__attribute__((warn_unused_result));
void checker_close(struct checker *c);

/* message as above. secured: the client's line is encrypted, which the checker is told. *why: a sentence about
 * trouble. */
enum checker_says checker_ask(
	struct checker *c, bool secured, const char *message, size_t n, const char **why);

#endif
