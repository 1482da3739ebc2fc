/* base/user.h - give up privileges, and be sure of it.
 *
 * Shape   user_drop changes what is asked for: groups (exactly the one gid), gid, then uid.
 * Errors  -1 with errno. After success it was tried to come back, and failed: EPERM is returned when
 *         coming back was possible.
 * Source  tcpserver(1), -u and -g; setresuid(2); CERT POS37-C. */
#ifndef BASE_USER_H
#define BASE_USER_H

#include <stdbool.h>
#include <sys/types.h>

struct user {
	uid_t uid;
	gid_t gid;
	bool set_uid;
	bool set_gid;
};

int user_drop(const struct user *u) __attribute__((warn_unused_result));

/* Numbers, or names of passwd(5) and group(5). NULL, or a sentence that says what is wrong. */
const char *user_find(const char *text, uid_t *uid) __attribute__((warn_unused_result));
const char *user_find_group(const char *text, gid_t *gid) __attribute__((warn_unused_result));

#endif
