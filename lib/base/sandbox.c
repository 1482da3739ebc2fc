#include "base/sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox_filters.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const struct sock_filter *sandbox_filter(enum sandbox profile, size_t *count)
{
	switch (profile) {
	case SANDBOX_SMTPD:
		*count = COUNT(smtpd_filter);
		return smtpd_filter;
	case SANDBOX_SMTPD_RESIDENT:
		*count = COUNT(smtpd_resident_filter);
		return smtpd_resident_filter;
	case SANDBOX_TLS:
		*count = COUNT(tls_filter);
		return tls_filter;
	case SANDBOX_POLICY:
		*count = COUNT(policy_filter);
		return policy_filter;
	case SANDBOX_MILTER_UNIX:
		*count = COUNT(milter_unix_filter);
		return milter_unix_filter;
	case SANDBOX_MILTER_INET:
		*count = COUNT(milter_inet_filter);
		return milter_inet_filter;
	case SANDBOX_QUEUED:
		*count = COUNT(queued_filter);
		return queued_filter;
	}
	*count = 0;
	return NULL;
}

int sandbox_enter(enum sandbox profile)
{
	size_t count;
	long refused;
	/* the kernel copies the program and changes nothing: the interface merely lacks a const */
	struct sock_fprog program = { .filter = (struct sock_filter *)sandbox_filter(profile, &count) };

	program.len = (unsigned short)count;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	refused = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (refused <= 0)
		return (int)refused;
	errno = EBUSY; /* the thread of this number has another filter */
	return -1;
}

/* ---- paths ----------------------------------------------------------------------------------------------- */

enum { ALL_OF_ABI_1 = (1 << 13) - 1 };

static int allow_below(int rules, int directory)
{
	const struct landlock_path_beneath_attr below = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				  LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
				  LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
				  LANDLOCK_ACCESS_FS_REMOVE_FILE,
		.parent_fd = directory
	};

	return (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
}

int sandbox_below(const int directories[], size_t count)
{
	const struct landlock_ruleset_attr handled = { .handled_access_fs = ALL_OF_ABI_1 };
	const int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
	int result = 0, saved;

	if (rules == -1)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
	for (size_t i = 0; result == 0 && i < count; i++)
		result = allow_below(rules, directories[i]);
	if (result == 0)
		result = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (result == 0)
		result = (int)syscall(SYS_landlock_restrict_self, rules, 0);
	saved = errno;
	close(rules);
	errno = saved;
	return result;
}
