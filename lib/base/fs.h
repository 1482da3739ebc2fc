/* base/fs.h - files read whole, and descriptors 0 to 2 in their places.
 *
 * Errors  -1 with errno; of a read: EISDIR, EINVAL (no regular file), EFBIG (it does not fit). */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stddef.h>
#include <sys/types.h>

/* Opens /dev/null until 0, 1 and 2 are taken: whoever started us closed may not have our next socket or
 * file end up there. */
int fs_fill_stdio(void) __attribute__((warn_unused_result));

/* The whole of a regular file and a NUL into the caller's memory. Returns its length. For files whose size
 * the kernel does not tell (/proc), and for short ones. */
ssize_t fs_read_all(int dir, const char *name, char *memory, size_t cap)
	__attribute__((warn_unused_result));

/* The whole of a regular file, and a NUL behind it, in memory of its size: free() it. Returns its length. */
ssize_t fs_read_file(int dir, const char *name, size_t max, char **text)
	__attribute__((warn_unused_result));

/* A descriptor of a copy in memory that nobody, not even we, can change or cut any more: a mapping of a file
 * itself is SIGBUS when somebody cuts it in place. size is what fstat said; EAGAIN: it is being changed. */
int fs_sealed_copy(int fd, size_t size) __attribute__((warn_unused_result));

/* All n bytes, through short writes and EINTR. */
int fs_write_all(int fd, const void *p, size_t n) __attribute__((warn_unused_result));
int fs_pwrite_all(int fd, const void *p, size_t n, off_t at) __attribute__((warn_unused_result));

#endif
