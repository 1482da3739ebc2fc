/* password_file.h - "user:HASH[:...]" lines: checkpassword-file(8), FILE.
 *
 * Shape   the text is cut up in place: what is found points into it.
 * Errors  password_file_find: NULL, or a sentence about a line, whose number is in line then. The whole text is
 *         read whatever is looked for, so that a bad line shows at once. */
#ifndef SMTPD_PASSWORD_FILE_H
#define SMTPD_PASSWORD_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct password_entry {
	const char *hash;  /* NULL: no such user */
	const char *home;  /* NULL: not said */
	const char *shell; /* NULL: not said */
	const char *decoy; /* some other user's hash, to spend the same time on; NULL: there is none */
	size_t line;       /* of the user, or of what is wrong */
};

const char *password_file_find(char *text, const char *user, struct password_entry *found)
	__attribute__((warn_unused_result));

/* "*..." or "!...": no password is right. */
bool password_file_locked(const char *hash);

#endif
