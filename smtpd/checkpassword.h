/* checkpassword.h - the interface of checkpassword programs, for ours.
 *
 * Shape   user NUL password NUL timestamp NUL on descriptor 3, up to its end; then the program named by the arguments
 *         runs, with USER, HOME and SHELL set. Uid, gid and directory stay as they are.
 * Units   CHECKPASSWORD_BYTES in all.
 * Errors  exit codes: 1 wrong, 2 misused, 111 trouble.
 * Source  https://cr.yp.to/checkpwd/interface.html */
#ifndef SMTPD_CHECKPASSWORD_H
#define SMTPD_CHECKPASSWORD_H

enum { CHECKPASSWORD_BYTES = 512 };
enum { CHECKPASSWORD_WRONG = 1, CHECKPASSWORD_MISUSED = 2 };

struct credentials {
	char bytes[CHECKPASSWORD_BYTES + 1];
	const char *user;
	const char *password;
};

_Noreturn void checkpassword_misused(const char *usage);

/* Exits when there is no program in argv, or descriptor 3 does not hold what it should. */
void checkpassword_read(struct credentials *c, char **argv, const char *usage);

/* The password is wiped, the program runs. home and shell may be NULL. */
_Noreturn void checkpassword_run(
	struct credentials *c, char **argv, const char *user, const char *home, const char *shell);

/* Wiped, too. */
_Noreturn void checkpassword_wrong(struct credentials *c);

#endif
