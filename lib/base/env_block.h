/* base/env_block.h - an environment as one block of bytes, for a packet: "NAME=value\0" ...
 *
 * Units   ENV_BLOCK_VARS variables at most; a block has one byte at least.
 * Errors  encode: -1 with E2BIG, it does not fit or there is nothing to say. decode: false, not an
 *         environment. */
#ifndef BASE_ENV_BLOCK_H
#define BASE_ENV_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { ENV_BLOCK_VARS = 1024 };

/* Bytes of the block. */
ssize_t env_block_encode(char *const envp[], char *block, size_t cap) __attribute__((warn_unused_result));

/* Points into the block; vector has ENV_BLOCK_VARS + 1 places. */
bool env_block_decode(char *block, size_t n, char **vector) __attribute__((warn_unused_result));

#endif
