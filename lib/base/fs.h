/* base/fs.h - files read whole, and descriptors 0 to 2 in their places.
 *
 * Errors  -1 with errno; fs_read_all: EFBIG when the file does not fit. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stddef.h>
#include <sys/types.h>

/* Opens /dev/null until 0, 1 and 2 are taken: whoever started us closed may not have our next socket or
 * file end up there. */
int fs_fill_stdio(void) __attribute__((warn_unused_result));

/* The whole of a regular file into memory, at most cap - 1 bytes and a NUL. Returns the length. */
ssize_t fs_read_all(int dir, const char *name, char *memory, size_t cap)
	__attribute__((warn_unused_result));

/* All n bytes, through short writes and EINTR. */
int fs_write_all(int fd, const void *p, size_t n) __attribute__((warn_unused_result));

#endif
