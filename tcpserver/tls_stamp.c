#include "tcpserver/tls_stamp.h"

#include <sys/stat.h>

void tls_stamp(const char *path, struct tls_stamp *to)
{
	struct stat st;

	*to = (struct tls_stamp){ .inode = 0 };
	/* ctime: a file that was moved here keeps its mtime, and chmod must count too */
	if (stat(path, &st) == 0)
		*to = (struct tls_stamp){ st.st_dev, st.st_ino, st.st_size, st.st_ctim };
}

bool tls_stamp_same(const struct tls_stamp *a, const struct tls_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

bool tls_stamp_is_public(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0;
}
