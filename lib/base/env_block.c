#include "base/env_block.h"

#include <errno.h>
#include <string.h>

ssize_t env_block_encode(char *const envp[], char *block, size_t cap)
{
	size_t n = 0, count = 0;

	for (; envp[count] != NULL; count++) {
		const size_t len = strlen(envp[count]) + 1;

		if (count == ENV_BLOCK_VARS || len > cap - n) {
			errno = E2BIG;
			return -1;
		}
		memcpy(block + n, envp[count], len);
		n += len;
	}
	if (n == 0) { /* a packet of no bytes would look like the end */
		errno = E2BIG;
		return -1;
	}
	return (ssize_t)n;
}

bool env_block_decode(char *block, size_t n, char **vector)
{
	size_t count = 0;

	vector[0] = NULL;
	if (n == 0 || block[n - 1] != '\0')
		return false;
	for (size_t at = 0; at < n; at += strlen(block + at) + 1) {
		const char *equals = strchr(block + at, '=');

		if (count == ENV_BLOCK_VARS || equals == NULL || equals == block + at) {
			vector[0] = NULL;
			return false;
		}
		vector[count++] = block + at;
		vector[count] = NULL;
	}
	return true;
}
