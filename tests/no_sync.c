/* no_sync.c - fsync and its like that do nothing: a program that this is linked into has them no more.
 *
 * A test that is to find what they are for must find it then. */
#include <fcntl.h>
#include <unistd.h>

int fsync(int fd)
{
	(void)fd;
	return 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

int syncfs(int fd)
{
	(void)fd;
	return 0;
}
