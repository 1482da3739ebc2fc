/* look.h - what an administrator asks smtpd without a client: what would one see, and are the files right?
 *
 * Errors  a line on descriptor 2, and the exit code of an option or of a file: 100, 111. */
#ifndef SMTPD_LOOK_H
#define SMTPD_LOOK_H

#include "smtpd/settings.h"

/* The environment becomes that of a client at ip, with the variables of its rule in the file cdb (NULL: there
 * are no rules). Ends the process if the rules turn it away. */
void look_as_client(const char *ip, const char *cdb);

/* Says on descriptor 1 what s means and what is wrong; wrong is what settings_read said, with errno. checker: its
 * words, or NULL. Exit 0, or 100 when smtpd would refuse every client, every message, or every AUTH. */
_Noreturn void look_check(const struct settings *s, const char *wrong, char *const checker[]);

#endif
