#include "base/sandbox.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

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
	}
	*count = 0;
	return NULL;
}

int sandbox_enter(enum sandbox profile)
{
	size_t count;
	/* the kernel copies the program and changes nothing: the interface merely lacks a const */
	struct sock_fprog program = { .filter = (struct sock_filter *)sandbox_filter(profile, &count) };

	program.len = (unsigned short)count;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
