#include "base/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "base/num.h"

/* (uid_t)-1 means "leave it" to setresuid(2), so it is no id. */
static const unsigned long id_max = 4294967294UL;

static bool is_number(const char *text)
{
	return text[0] >= '0' && text[0] <= '9';
}

const char *user_find(const char *text, uid_t *uid)
{
	unsigned long n;
	const struct passwd *pw;

	if (is_number(text)) {
		const char *wrong = num_parse(text, 0, id_max, &n);

		if (wrong == NULL)
			*uid = (uid_t)n;
		return wrong;
	}
	pw = getpwnam(text);
	if (pw == NULL)
		return "is no user of this system";
	*uid = pw->pw_uid;
	return NULL;
}

const char *user_find_group(const char *text, gid_t *gid)
{
	unsigned long n;
	const struct group *gr;

	if (is_number(text)) {
		const char *wrong = num_parse(text, 0, id_max, &n);

		if (wrong == NULL)
			*gid = (gid_t)n;
		return wrong;
	}
	gr = getgrnam(text);
	if (gr == NULL)
		return "is no group of this system";
	*gid = gr->gr_gid;
	return NULL;
}

int user_drop(const struct user *u)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (u->set_gid) {
		if (setgroups(1, &u->gid) == -1 || setresgid(u->gid, u->gid, u->gid) == -1)
			return -1;
		if (getresgid(&rg, &eg, &sg) == -1)
			return -1;
		if (rg != u->gid || eg != u->gid || sg != u->gid)
			goto back;
	}
	if (!u->set_uid)
		return 0;
	if (setresuid(u->uid, u->uid, u->uid) == -1 || getresuid(&r, &e, &s) == -1)
		return -1;
	if (r != u->uid || e != u->uid || s != u->uid || (u->uid != 0 && setuid(0) == 0))
		goto back;
	return 0;
back:
	errno = EPERM;
	return -1;
}
