/* base/fortify.c - the three checks that a distribution's static libraries call and musl does not have.
 *
 * Debian compiles libcares.a and libcdb.a for glibc with _FORTIFY_SOURCE: bounds that the compiler knew
 * are handed to these functions. Here they do the same as glibc's: check, and abort. */
#include <features.h>

#ifndef __GLIBC__

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the names are glibc's */
void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
long __fdelt_chk(long fd);
int __sprintf_chk(char *to, int flag, size_t room, const char *fmt, ...);

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return memcpy(to, from, n);
}

long __fdelt_chk(long fd)
{
	if (fd < 0 || fd >= FD_SETSIZE)
		abort();
	return fd / (8 * (long)sizeof(long));
}

int __sprintf_chk(char *to, int flag, size_t room, const char *fmt, ...)
{
	va_list args;
	int n;

	(void)flag;
	va_start(args, fmt);
	n = vsnprintf(to, room, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		abort();
	return n;
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

#endif
